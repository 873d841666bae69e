// The page that shows a run: one document, embedded in the program, that loads nothing else.
#pragma once

#include "runtime/observe/http_server.hpp"

namespace kaspar::observe {

/// With a Content-Security-Policy that lets only its own script and style run.
[[nodiscard]] HttpResponse status_page();

}  // namespace kaspar::observe
