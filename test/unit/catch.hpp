// Catch2, whichever version Debian has: 2 (one header) or 3.
#pragma once

#if KASPAR_CATCH2_VERSION >= 3
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
