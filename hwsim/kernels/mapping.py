"""Loop order and memory traffic of one matmul, compiled; see `hwsim.mapping`."""
