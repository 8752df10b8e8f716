#pragma once
#include "CLinuxChecksum.h"
#include "CLinuxFiles.h"
#include "CLinuxMemory.h"
#include "CLinuxNetwork.h"
