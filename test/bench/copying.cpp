// A mistake planted into kaspar, by the linker's --wrap: every payload is copied before its batch
// is worked on. Whatever guards against a slower record must see it.
#include <string>

#include "runtime/core/batch.hpp"

void reset(kaspar::Batch* batch, const kaspar::RecordBatch& records) asm(
    "__real__ZN6kaspar5Batch5resetERKNS_11RecordBatchE");
void reset_copying(kaspar::Batch* batch, const kaspar::RecordBatch& records) asm(
    "__wrap__ZN6kaspar5Batch5resetERKNS_11RecordBatchE");

void reset_copying(kaspar::Batch* batch, const kaspar::RecordBatch& records) {
  for (const kaspar::Record& record : records.records) {
    const std::string copy{record.value};
    asm volatile("" : : "r"(copy.data()) : "memory");
  }
  reset(batch, records);
}
