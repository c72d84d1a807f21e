"""A node that runs Pods as processes: it plays the kubelet for one Node of the control plane on this machine.

It does what a kubelet does as far as the API shows it: registers the Node and renews its Lease, runs what each Pod's
containers say (command, arguments, environment), polls their probes, restarts what ends, reports all of it in the
Pod's status, and ends a deleted Pod with SIGTERM and, after its grace period, SIGKILL.

There is no container around a process, so some fields mean less than in a cluster:

- An image is a name for the program that the node was told to run for it; nothing is pulled, whatever the policy says.
- All Pods share this machine's network and file system. Each has a loopback address of its own, 127.18.x.y or
  127.19.x.y, which the downward API says as status.podIP and a server must bind. The API refuses loopback addresses as
  endpoints, so the Pod's status says 198 for 127: nothing answers there, see `addresses`.
- Services lead nowhere (nobody plays kube-proxy), no DNS names them, and NetworkPolicies are not enforced. Variables
  that name Services and the API server are not set; KUBECONFIG is, with the identity of the Pod's ServiceAccount, in
  containers that have its token mounted.
- Volumes of the kinds emptyDir, configMap, secret, downwardAPI and projected are folders, written when the Pod starts;
  tokens in them are renewed. None is mounted: where a variable, argument or command begins with a mountPath, the
  folder's path stands there instead. A Pod with other volumes starts without these, and an Event says so.
- A process works in a folder of its Pod, whatever workingDir says.
- securityContext, resources, ports, hostNetwork, lifecycle.postStart and readiness gates change nothing, nor does a
  change of a Pod that runs.
- Probes of the kind grpc are not made, and fail.

When the node is stopped, its processes end and the Pods stay in the API; a node that is started in its place, with the
same name and folder, starts them again.

Belongs here: what stands for a kubelet. `launch` starts it from Python, as a process of its own.
"""
