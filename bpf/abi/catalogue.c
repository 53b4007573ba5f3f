/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#include "riptide_abi.h"
#include "riptide_counters.h"

static const struct riptide_counter_description catalogue[] = {
#define RIPTIDE_COUNTER_ROW(NAME, name, expected, text) {name, text, expected},
	RIPTIDE_COUNTERS(RIPTIDE_COUNTER_ROW)
#undef RIPTIDE_COUNTER_ROW
};

const struct riptide_counter_description *riptide_counter_description(__u32 number)
{
	return number < RIPTIDE_COUNTER_COUNT ? &catalogue[number] : 0;
}
