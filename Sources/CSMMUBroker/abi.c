/* Compiles the header as C with every warning on: its assertions are the first proof of the layouts. */
#include "smmu_broker.h"
