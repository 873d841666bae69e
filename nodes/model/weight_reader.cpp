#include "nodes/model/weight_reader.hpp"

#include <fmt/core.h>
#include <onnx-ml.pb.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <system_error>
#include <type_traits>
#include <utility>

#include "nodes/model/onnx_wire.hpp"

namespace kaspar::nodes {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

using Proto = onnx::TensorProto;

constexpr int most_external_entries = 16;
constexpr std::uint64_t most_header_bytes = 64u << 10;

FileRefused refuse(std::string_view name, std::string_view why, std::string help = {}) {
  return {fmt::format("its tensor `{}` {}", name, why), std::move(help)};
}

std::uint64_t parse_size(std::string_view tensor, const std::string& text, const char* what) {
  if (text.empty() || text.size() > 18 ||
      text.find_first_not_of("0123456789") != std::string::npos) {
    throw refuse(tensor, fmt::format("has a bad {}: `{}`", what, text.substr(0, 40)));
  }
  return std::stoull(text);
}

/// The field of a TensorProto that holds values of that type one by one.
int data_field(std::int32_t data_type) {
  switch (data_type) {
    case Proto::FLOAT:
      return Proto::kFloatDataFieldNumber;
    case Proto::DOUBLE:
      return Proto::kDoubleDataFieldNumber;
    case Proto::INT64:
      return Proto::kInt64DataFieldNumber;
    case Proto::UINT32:
      return Proto::kUint64DataFieldNumber;
    case Proto::STRING:
      return Proto::kStringDataFieldNumber;
    default:
      return Proto::kInt32DataFieldNumber;
  }
}

template <class Stored>
const auto& values_of(const Proto& proto) {
  if constexpr (std::is_same_v<Stored, float>) {
    return proto.float_data();
  } else if constexpr (std::is_same_v<Stored, double>) {
    return proto.double_data();
  } else if constexpr (std::is_same_v<Stored, std::int64_t>) {
    return proto.int64_data();
  } else if constexpr (std::is_same_v<Stored, std::uint32_t>) {
    return proto.uint64_data();
  } else {
    return proto.int32_data();
  }
}

}  // namespace

std::optional<Element> element_of(std::int32_t data_type) {
  switch (data_type) {
    case Proto::FLOAT:
      return Element::F32;
    case Proto::DOUBLE:
      return Element::F64;
    case Proto::INT64:
    case Proto::INT32:
    case Proto::INT16:
    case Proto::INT8:
    case Proto::UINT32:
    case Proto::UINT16:
    case Proto::UINT8:
      return Element::I64;
    case Proto::BOOL:
      return Element::Bool;
    case Proto::STRING:
      return Element::String;
    default:
      return std::nullopt;
  }
}

/// A tensor without its values.
struct WeightReader::Header {
  Proto proto;
  std::optional<ByteRange> raw;
  std::uint64_t values = 0;      // in the field of its type
  std::uint64_t text_bytes = 0;  // of strings
};

WeightReader::Header WeightReader::read_header(ByteRange message) {
  Header header;
  std::string small;  // the fields that describe
  std::uint64_t dims = 0;
  int entries = 0;
  std::map<std::uint64_t, std::uint64_t> counts;
  WireReader wire(model_, message);
  for (WireField field; wire.next(field);) {
    switch (field.number) {
      case Proto::kRawDataFieldNumber:
        if (field.type == WireType::Bytes) header.raw = field.bytes;
        continue;
      case Proto::kFloatDataFieldNumber:
        counts[field.number] += field.type == WireType::Bytes ? field.bytes.size() / 4 : 1;
        continue;
      case Proto::kDoubleDataFieldNumber:
        counts[field.number] += field.type == WireType::Bytes ? field.bytes.size() / 8 : 1;
        continue;
      case Proto::kInt32DataFieldNumber:
      case Proto::kInt64DataFieldNumber:
      case Proto::kUint64DataFieldNumber:
        counts[field.number] += count_varints(model_, field);
        continue;
      case Proto::kStringDataFieldNumber:
        ++counts[field.number];
        if (field.type == WireType::Bytes) header.text_bytes += field.bytes.size();
        continue;
      case Proto::kDimsFieldNumber:
        dims += count_varints(model_, field);
        break;
      case Proto::kExternalDataFieldNumber:
        ++entries;
        break;
      case Proto::kDocStringFieldNumber:
        continue;
      default:
        break;
    }
    if (dims > most_dimensions) throw FileRefused{"a tensor of it has too many dimensions"};
    if (entries > most_external_entries || field.whole.size() > most_header_bytes ||
        small.size() > most_header_bytes) {
      throw FileRefused{"a tensor of it is damaged"};
    }
    model_.append(small, field.whole);
  }
  if (!header.proto.ParseFromString(small)) throw FileRefused{"a tensor of it is damaged"};
  header.values = counts[static_cast<std::uint64_t>(data_field(header.proto.data_type()))];
  return header;
}

Tensor WeightReader::read(ByteRange message) {
  const Header header = read_header(message);
  const Proto& proto = header.proto;
  Tensor tensor;
  std::uint64_t count = 1;
  bool empty = false;
  for (const std::int64_t dim : proto.dims()) {
    if (dim < 0) throw refuse(proto.name(), "has a negative dimension");
    tensor.dims.push_back(dim);
    empty = empty || dim == 0;
  }
  for (const std::int64_t dim : proto.dims()) {
    if (dim == 0) continue;
    // Also of an empty one: dimensions are multiplied later.
    if (static_cast<std::uint64_t>(dim) > (std::uint64_t{1} << 40) / count) {
      throw refuse(proto.name(),
                   fmt::format("has a shape {} that is too large", text(tensor.dims)));
    }
    count *= static_cast<std::uint64_t>(dim);
  }
  if (empty) count = 0;
  if (proto.has_segment()) throw refuse(proto.name(), "comes in segments");
  switch (proto.data_type()) {
    case Proto::FLOAT:
      fill<float, float>(header, tensor, count, message);
      break;
    case Proto::DOUBLE:
      fill<double, double>(header, tensor, count, message);
      break;
    case Proto::INT64:
      fill<std::int64_t, std::int64_t>(header, tensor, count, message);
      break;
    case Proto::INT32:
      fill<std::int32_t, std::int64_t>(header, tensor, count, message);
      break;
    case Proto::INT16:
      fill<std::int16_t, std::int64_t>(header, tensor, count, message);
      break;
    case Proto::INT8:
      fill<std::int8_t, std::int64_t>(header, tensor, count, message);
      break;
    case Proto::UINT16:
      fill<std::uint16_t, std::int64_t>(header, tensor, count, message);
      break;
    case Proto::UINT8:
      fill<std::uint8_t, std::int64_t>(header, tensor, count, message);
      break;
    case Proto::UINT32:
      fill<std::uint32_t, std::int64_t>(header, tensor, count, message);
      break;
    case Proto::BOOL:
      fill<bool, float>(header, tensor, count, message);
      break;
    case Proto::STRING:
      fill_strings(header, tensor, count, message);
      break;
    default:
      throw refuse(proto.name(),
                   fmt::format("has the data type {}, which is not supported", proto.data_type()));
  }
  tensor.element = element_of(proto.data_type()).value();
  return tensor;
}

template <class Stored, class To>
void WeightReader::fill(const Header& header, Tensor& tensor, std::size_t count,
                        ByteRange message) {
  // As many bytes as the tensor has, or nothing is allocated.
  const auto check = [&](std::uint64_t held, std::uint64_t each) {
    if (held != count * each) {
      throw refuse(header.proto.name(), fmt::format("holds {} bytes where its shape {} wants {}",
                                                    held, text(tensor.dims), count * each));
    }
    memory_.take(count, sizeof(To));
  };
  std::optional<Source> source;
  if (header.proto.data_location() == Proto::EXTERNAL) {
    source.emplace(open_external(header));
  } else if (header.raw) {
    source.emplace(Source{model_, *header.raw});
  }
  std::vector<To> to;
  if (source) {
    using Byte = std::conditional_t<std::is_same_v<Stored, bool>, std::uint8_t, Stored>;
    check(source->bytes.size(), sizeof(Byte));
    to.resize(count);
    if constexpr (std::is_same_v<Byte, To>) {
      source->file.read(source->bytes.start, std::as_writable_bytes(std::span(to)));
    } else {
      std::vector<Byte> some(std::min<std::size_t>(count, 16u << 10));
      for (std::size_t done = 0; done < count;) {
        const auto part = std::span(some).first(std::min(some.size(), count - done));
        source->file.read(source->bytes.start + done * sizeof(Byte), std::as_writable_bytes(part));
        for (const Byte value : part) to[done++] = static_cast<To>(static_cast<Stored>(value));
      }
    }
  } else {
    check(header.values * sizeof(Stored), sizeof(Stored));
    std::string data;
    WireReader wire(model_, message);
    for (WireField field; wire.next(field);) {
      if (static_cast<int>(field.number) == data_field(header.proto.data_type())) {
        model_.append(data, field.whole);
      }
    }
    Proto values;
    if (!values.ParseFromString(data) ||
        static_cast<std::uint64_t>(values_of<Stored>(values).size()) != count) {
      throw refuse(header.proto.name(), "is damaged");
    }
    to.reserve(count);
    for (const auto value : values_of<Stored>(values)) {
      to.push_back(static_cast<To>(static_cast<Stored>(value)));
    }
  }
  tensor.held = std::make_shared<const Values>(std::move(to));
}

void WeightReader::fill_strings(const Header& header, Tensor& tensor, std::size_t count,
                                ByteRange message) {
  if (header.raw || header.proto.data_location() == Proto::EXTERNAL || header.values != count) {
    throw refuse(header.proto.name(), fmt::format("holds {} strings where its shape {} wants {}",
                                                  header.values, text(tensor.dims), count));
  }
  memory_.take(count, sizeof(std::string));
  memory_.take(header.text_bytes);
  std::vector<std::string> to;
  to.reserve(count);
  WireReader wire(model_, message);
  for (WireField field; wire.next(field);) {
    if (field.number != Proto::kStringDataFieldNumber) continue;
    if (field.type != WireType::Bytes) throw refuse(header.proto.name(), "is damaged");
    to.push_back(model_.text(field.bytes));
  }
  tensor.held = std::make_shared<const Values>(std::move(to));
}

WeightReader::Source WeightReader::open_external(const Header& header) {
  const Proto& proto = header.proto;
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = parse_size(proto.name(), entry.value(), "offset");
    if (entry.key() == "length") length = parse_size(proto.name(), entry.value(), "length");
  }
  const std::string path = real_path(header, location);
  const auto wrong = [&](const std::string& why) {
    return refuse(proto.name(), fmt::format("is in `{}`: {}", location, why),
                  fmt::format("export the model again, or copy all of `{}`", location));
  };
  try {
    if (opened_ == nullptr || opened_path_ != path) {
      opened_ = std::make_unique<FileBytes>(path);
      opened_path_ = path;
      if (std::ranges::find(outside_files_, path) == outside_files_.end()) {
        outside_files_.push_back(path);
      }
    }
  } catch (const FileRefused& refused) {
    throw wrong(refused.reason);
  }
  const std::uint64_t size = opened_->size();
  if (offset > size) throw wrong(fmt::format("it ends before offset {}", offset));
  const std::uint64_t wanted = length.value_or(size - offset);
  if (wanted > size - offset) {
    throw wrong(fmt::format("it has {} bytes, {} are wanted from offset {}", size, wanted, offset));
  }
  outside_bytes_ += wanted;
  return {*opened_, {offset, offset + wanted}};
}

std::string WeightReader::real_path(const Header& header, const std::string& location) const {
  namespace fs = std::filesystem;
  const fs::path relative = fs::path(location).lexically_normal();
  if (location.empty() || location.find('\0') != std::string::npos || relative == ".") {
    throw refuse(header.proto.name(), "names no file for its external data");
  }
  const auto outside = [&](std::string_view how) {
    return refuse(header.proto.name(),
                  fmt::format("is in `{}`, {} the model's folder", location, how),
                  "weights are read only from the folder that the model is in");
  };
  if (relative.is_absolute() || *relative.begin() == "..") throw outside("outside");
  std::error_code error;
  const fs::path model = fs::canonical(path_, error);
  if (error) throw FileRefused{error.message()};
  const fs::path folder = model.parent_path();
  // Where a folder is all links, the weights are beside the link, beside the file, or both.
  bool leads_out = false;
  for (const fs::path& beside : {fs::path(path_).parent_path(), folder}) {
    const fs::path file = fs::canonical(beside.empty() ? relative : beside / relative, error);
    if (error) continue;
    if (std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first ==
        folder.end()) {
      return file.string();
    }
    leads_out = true;
  }
  if (leads_out) throw outside("a link to outside");
  throw refuse(
      header.proto.name(),
      fmt::format("is in `{}`{}", location,
                  error == std::errc::no_such_file_or_directory ? ", and there is no such file"
                                                                : ": " + error.message()),
      fmt::format("put `{}`, which the exporter wrote, beside the model", location));
}

}  // namespace kaspar::nodes
