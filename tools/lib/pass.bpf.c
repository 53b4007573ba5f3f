/* Passes every frame: its presence is what makes a veth end accept frames from XDP. */
__attribute__((section("xdp"), used)) int pass(void *context)
{
	(void)context;
	return 2; /* XDP_PASS */
}

__attribute__((section("license"), used)) char terms[] = "GPL";
