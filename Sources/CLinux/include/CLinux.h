#pragma once
#include "CLinuxMemory.h"
#include "CLinuxNetwork.h"
