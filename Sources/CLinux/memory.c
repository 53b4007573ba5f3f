#include "CLinux.h"

#include <malloc.h>

void clinux_use_one_heap(void)
{
	mallopt(M_ARENA_MAX, 1);
}

void clinux_give_memory_back(void)
{
	malloc_trim(0);
}
