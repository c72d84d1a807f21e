"""One Pod: from the moment at which it is bound to this node to the moment at which it is gone from the API."""

import asyncio

import aiohttp

from dev.node import addresses, clock, fields, objects, status
from dev.node.api import Api, ApiError, Object
from dev.node.container import Container
from dev.node.events import Events
from dev.node.preparation import Preparation
from dev.node.reporter import Reporter
from dev.node.settings import Settings
from dev.node.surroundings import Surroundings
from dev.node.volumes import Volumes

_LOOK = 0.05
"""Seconds between two looks at whether a sidecar has started."""


class Pod:
    """A Pod that runs on this node, or has run."""

    def __init__(
        self, pod: Object, *, api: Api, settings: Settings, block: addresses.Block, session: aiohttp.ClientSession
    ) -> None:
        self._pod, self._api, self._settings, self._block = pod, api, settings, block
        metadata = pod["metadata"]
        self._uid, self._namespace, self._name = metadata["uid"], metadata["namespace"], metadata["name"]
        self._place = status.Place(self._uid, block.take(), block.host, clock.seconds(clock.now()))
        self._conditions = {each["type"]: each for each in pod.get("status", {}).get("conditions", [])}
        self._reporter = Reporter(api, pod=pod, current=self._status, retry=settings.retry)
        self._around = self._surroundings(session)
        self._containers = [self._container(spec) for spec in pod["spec"]["containers"]]
        self._inits = [self._init(spec) for spec in pod["spec"].get("initContainers", [])]
        self._ending = asyncio.Event()
        self._grace = self._around.grace
        self._leave_it = False

    async def run(self) -> None:
        """Run it until it is gone from the API, or until the node is stopped."""
        try:
            async with asyncio.TaskGroup() as tasks:
                reporting = tasks.create_task(self._reporter.run())
                await self._live()
                await self._ending.wait()
                if not self._leave_it:
                    await self._reporter.flush()
                    await self._delete()
                reporting.cancel()
            await self._around.events.flush()
        finally:
            self._kill()

    def update(self, pod: Object) -> None:
        """Look at the Pod as it is now: somebody may have asked for its end, or for a quicker one."""
        metadata = pod["metadata"]
        if "deletionTimestamp" not in metadata:
            return
        grace = float(metadata.get("deletionGracePeriodSeconds", self._around.grace))
        if self._ending.is_set() and grace < self._grace:
            asyncio.get_running_loop().call_later(grace, self._kill)
        self._grace = grace
        self._ending.set()

    def gone(self) -> None:
        """Kill it: it is not in the API any more."""
        self._leave_it = True
        self._ending.set()
        self._kill()

    def stop(self) -> None:
        """End it and leave it in the API as it is, since the node is stopped: the next one starts it again."""
        self._reporter.silence()
        self._leave_it, self._grace = True, self._settings.stop_grace
        self._ending.set()

    async def _live(self) -> None:
        """Run its containers until they have ended for good; nothing if they had when the node saw it first."""
        try:
            if self._pod.get("status", {}).get("phase") not in {status.SUCCEEDED, status.FAILED}:
                await self._run_containers()
        finally:
            self._block.give_back(self._place.address)

    async def _run_containers(self) -> None:
        life = asyncio.create_task(self._start())
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait({life, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if self._ending.is_set():
            self._around.events.note("Killing", "Stopping containers")
            await self._end(self._containers)
            await self._end(self._inits)
        await life

    async def _start(self) -> None:
        self._reporter.changed()
        preparation = Preparation(self._around, api=self._api)
        async with preparation.ready(stop=self._ending) as is_ready, asyncio.TaskGroup() as beside:
            if is_ready and await self._initialize(beside):
                async with asyncio.TaskGroup() as tasks:
                    for container in self._containers:
                        tasks.create_task(container.run())
            await self._end([init for init in self._inits if init.view.sidecar])

    async def _initialize(self, beside: asyncio.TaskGroup) -> bool:
        """Run the init containers one after the other, sidecars beside; say whether all went well."""
        for init in self._inits:
            if init.view.sidecar:
                running = beside.create_task(init.run())
                while not (init.view.started or running.done()):  # noqa: ASYNC110 - nobody tells of one container
                    await asyncio.sleep(_LOOK)
            else:
                await init.run()
                if init.view.exit_code != 0:
                    return False
                init.view.ready = True
        return not self._ending.is_set()

    async def _end(self, containers: list[Container]) -> None:
        await asyncio.gather(*(container.end(grace=self._grace) for container in containers))

    def _kill(self) -> None:
        for container in (*self._containers, *self._inits):
            container.kill()

    async def _delete(self) -> None:
        """Take it out of the API: all of it has ended."""
        path = f"/api/v1/namespaces/{self._namespace}/pods/{self._name}"
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self._uid}}
        while True:
            try:
                await self._api.request("DELETE", path, body=body)
            except ApiError as error:
                if error.status not in {404, 409}:
                    await asyncio.sleep(self._settings.retry)
                    continue
            return

    def _status(self) -> Object:
        found = status.pod_status(
            [container.view for container in self._containers],
            inits=[container.view for container in self._inits],
            place=self._place,
            now=clock.seconds(clock.now()),
            before=self._conditions,
        )
        self._conditions |= {each["type"]: each for each in found["conditions"]}
        return found

    def _surroundings(self, session: aiohttp.ClientSession) -> Surroundings:
        folder = self._settings.folder / "pods" / self._namespace / self._name / self._uid
        return Surroundings(
            settings=self._settings,
            session=session,
            facts=fields.Facts(self._pod, self._place.address, self._place.host, self._settings.capacity),
            reader=objects.Objects(self._api, namespace=self._namespace),
            volumes=Volumes(self._pod, folder=folder / "volumes"),
            events=Events(self._api, pod=self._pod, node=self._settings.name),
            folder=folder,
            changed=self._reporter.changed,
        )

    def _container(self, spec: Object) -> Container:
        container = self._resumed(Container(spec, around=self._around, policy=self._policy))
        if self._pod["spec"].get("initContainers"):
            container.view.state = {"waiting": {"reason": "PodInitializing"}}
        return container

    def _init(self, spec: Object) -> Container:
        # An init container is done when it has ended well, whatever the Pod does with the others.
        usual = "Never" if self._policy == "Never" else "OnFailure"
        sidecar = spec.get("restartPolicy") == "Always"
        container = self._resumed(Container(spec, around=self._around, policy="Always" if sidecar else usual))
        container.view.sidecar = sidecar
        return container

    def _resumed(self, container: Container) -> Container:
        """Count on from what the status says: an earlier node may have run this container."""
        reported = self._pod.get("status", {})
        for each in (*reported.get("containerStatuses", []), *reported.get("initContainerStatuses", [])):
            if each["name"] == container.view.name and each.get("containerID"):
                container.view.restarts = each["restartCount"] + 1
        return container

    @property
    def _policy(self) -> str:
        return str(self._pod["spec"].get("restartPolicy", "Always"))
