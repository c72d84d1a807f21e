"""What all property tests of the domain agree on."""

import hypothesis

# No deadline: a test must not depend on how fast the machine is. The examples are few, for the tests run often; each
# test may ask for more where its values are cheap.
hypothesis.settings.register_profile(
    "domain", deadline=None, max_examples=60, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("domain")
