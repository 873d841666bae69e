#include "runtime/observe/repeated_events.hpp"

namespace kaspar::observe {

bool RepeatedEvents::tells(LogLevel level, std::string_view event, std::string_view message,
                           std::initializer_list<LogField> fields, Clock::time_point now) {
  if (level < LogLevel::Warning) return true;
  std::string key{event};
  key += '\0';
  key += message;
  for (const LogField& field : fields) {
    key += '\0';
    key += field.name;
    key += '\0';
    key += field.value;
  }
  if (const auto found = known_.find(key); found != known_.end()) {
    if (now - found->second.told < window) {
      ++found->second.repeated.count;
      return false;
    }
    found->second.told = now;
    return true;
  }
  if (known_.size() >= most) return true;
  Known& known = known_[std::move(key)];
  known.told = now;
  known.repeated = {.level = level, .event = std::string{event}, .message = std::string{message}};
  for (const LogField& field : fields) {
    known.repeated.fields.emplace_back(field.name, field.value);
  }
  return true;
}

std::vector<RepeatedEvents::Repeated> RepeatedEvents::due(Clock::time_point now, bool all) {
  std::vector<Repeated> repeated;
  for (auto each = known_.begin(); each != known_.end();) {
    if (!all && now - each->second.told < window) {
      ++each;
      continue;
    }
    if (each->second.repeated.count != 0) repeated.push_back(std::move(each->second.repeated));
    each = known_.erase(each);
  }
  return repeated;
}

}  // namespace kaspar::observe
