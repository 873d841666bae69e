// Kernels that bring values where they are needed, and that choose rows.
#pragma once

#include "nodes/expression/frame.hpp"
#include "runtime/core/expression.hpp"

namespace kaspar::nodes::expression {

/// out = a, with validity; a vector register is copied as pointers.
[[nodiscard]] Kernel copy_kernel(const Type& type);
/// The elements that `a` points to, into the rows of a column of vectors.
void store_vector(const Instruction& instruction, Frame& frame);
/// out = pointers to the rows of a column of vectors.
void address_rows(const Instruction& instruction, Frame& frame);
/// No row of `out` is null.
void set_valid(const Instruction& instruction, Frame& frame);
/// out = a meta field; `constant` is the name of a Header. A record without a timestamp fails
/// (K0905) unless `a.type` is optional.
[[nodiscard]] Kernel meta_kernel(MetaField field);
/// Whether values of the field are of this type.
[[nodiscard]] bool fits_meta_field(MetaField field, const Type& type);

/// out = a is (not) null.
void is_null(const Instruction& instruction, Frame& frame);
void is_present(const Instruction& instruction, Frame& frame);

/// chosen = the rows where `a` is true (false).
void choose_true(const Instruction& instruction, Frame& frame);
void choose_false(const Instruction& instruction, Frame& frame);
/// chosen = the rows where `a` is true, rest = the others; `rest` may be the selection read.
void split(const Instruction& instruction, Frame& frame);
/// out = a where it is not null; chosen = the rows where it is.
[[nodiscard]] Kernel coalesce_kernel(const Type& type);
/// Discards the rows where `a` is false.
void discard_false(const Instruction& instruction, Frame& frame);

/// out = element b of a; K0906 where there is none.
[[nodiscard]] Kernel element_kernel(ScalarType type);
/// The same where `a` is a column of vectors itself, no register of pointers.
[[nodiscard]] Kernel column_element_kernel(ScalarType type);
/// f32 to f64, bytes to string (K0902); nullptr: there is no such conversion. For vectors `b.index`
/// is the place in Frame::elements that holds the result.
[[nodiscard]] Kernel convert_kernel(const Type& from, const Type& to);

}  // namespace kaspar::nodes::expression
