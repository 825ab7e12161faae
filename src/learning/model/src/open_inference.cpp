#include "maru/model/open_inference.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "maru/base/text.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Status;
namespace ondemand = simdjson::ondemand;

constexpr int kMaxNesting = 32;
constexpr std::size_t kKeepBytes = 1u << 20;  // a larger buffer is not kept for the next body

tl::unexpected<base::Error> wrong(std::string message, std::string hint = {}) {
  return fail(Code::kInvalidArgument, std::move(message), std::move(hint));
}

tl::unexpected<base::Error> not_json(simdjson::error_code code) {
  return wrong(std::string("the body is not valid JSON: ") + simdjson::error_message(code));
}

std::string named(std::string_view name) {
  return "input `" + base::replace_invalid_utf8(std::string(name.substr(0, 200))) + "`";
}

Status matches(std::size_t count, const TensorValue& tensor) {
  if (tensor.elements() == count) return {};
  return wrong("Shape does not match true shape of 'data' field: " + named(tensor.name) + " has " +
               std::to_string(tensor.elements()) + " values for " + std::to_string(count));
}

Status take_raw(std::string_view bytes, std::size_t count, TensorValue& tensor) {
  if (tensor.type == Datatype::kBytes) {
    auto texts = parse_binary_texts(bytes, count);
    if (!texts)
      return wrong(named(tensor.name) + ": its " + std::to_string(bytes.size()) +
                   " bytes are not " + std::to_string(count) + " texts with their lengths");
    tensor.texts = std::move(*texts);
    return {};
  }
  if (bytes.size() != count * datatype_size(tensor.type))
    return wrong(named(tensor.name) + ": " + std::to_string(bytes.size()) + " bytes for " +
                 std::to_string(count) + " values of " + std::string(datatype_name(tensor.type)));
  tensor.bytes.assign(bytes);
  return {};
}

// The text of a value of any kind, which is then read past.
simdjson::error_code raw_text(ondemand::value value, std::string_view& out) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return error;
  if (type == ondemand::json_type::object) {
    ondemand::object object;
    if (const auto error = value.get_object().get(object)) return error;
    return object.raw_json().get(out);
  }
  if (type == ondemand::json_type::array) {
    ondemand::array array;
    if (const auto error = value.get_array().get(array)) return error;
    return array.raw_json().get(out);
  }
  out = base::trim(value.raw_json_token());
  return simdjson::SUCCESS;
}

// simdjson's parser with the padded copy it reads from.
struct Reader {
  ondemand::parser parser;
  std::vector<char> buffer;

  simdjson::error_code open(std::string_view text, ondemand::document& document) {
    const std::size_t needed = text.size() + simdjson::SIMDJSON_PADDING;
    if (buffer.size() < needed) buffer.resize(needed);
    std::memcpy(buffer.data(), text.data(), text.size());
    std::memset(buffer.data() + text.size(), 0, simdjson::SIMDJSON_PADDING);
    return parser.iterate(buffer.data(), text.size(), buffer.size()).get(document);
  }
  void shrink() {
    if (buffer.size() <= kKeepBytes) return;
    buffer = {};
    parser = ondemand::parser();
  }
};

// Appends the leaves of nested lists to one tensor.
class ElementReader {
 public:
  explicit ElementReader(TensorValue& out) : out_(out) {}

  Status read(ondemand::value value, int depth = 0) {
    ondemand::json_type type{};
    if (const auto error = value.type().get(type)) return not_json(error);
    if (type != ondemand::json_type::array) return leaf(value, type);
    if (depth >= kMaxNesting)
      return wrong(named(out_.name) + ": its data are nested deeper than 32 lists");
    ondemand::array list;
    if (const auto error = value.get_array().get(list)) return not_json(error);
    for (auto entry : list) {
      ondemand::value item;
      if (const auto error = entry.get(item)) return not_json(error);
      TRY(read(item, depth + 1));
    }
    return {};
  }

 private:
  template <class Number>
  void append(Number number) {
    out_.bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  }

  Status unfit(ondemand::value value) {
    std::string_view token = value.raw_json_token();
    if (token.size() > 40) token = token.substr(0, 40);
    return wrong(named(out_.name) + ", element " + std::to_string(out_.elements()) + ": expected " +
                 std::string(datatype_name(out_.type)) + ", got " +
                 base::replace_invalid_utf8(std::string(base::trim(token))));
  }

  Status leaf(ondemand::value value, ondemand::json_type type) {
    if (out_.type == Datatype::kBytes) return text(value, type);
    if (out_.type == Datatype::kFp32 || out_.type == Datatype::kFp64) return real(value, type);
    if (out_.type == Datatype::kBool && type == ondemand::json_type::boolean) {
      bool flag = false;
      if (const auto error = value.get_bool().get(flag)) return not_json(error);
      append<std::uint8_t>(flag ? 1 : 0);
      return {};
    }
    if (type != ondemand::json_type::number) return unfit(value);
    return integer(value);
  }

  Status text(ondemand::value value, ondemand::json_type type) {
    if (type == ondemand::json_type::null) {
      bool null = false;
      if (value.is_null().get(null) != simdjson::SUCCESS || !null) return unfit(value);
      out_.texts.emplace_back();
      return {};
    }
    if (type != ondemand::json_type::string) return unfit(value);
    std::string_view text;
    if (const auto error = value.get_string().get(text)) return not_json(error);
    out_.texts.emplace_back(text);
    return {};
  }

  Status real(ondemand::value value, ondemand::json_type type) {
    double number = std::numeric_limits<double>::quiet_NaN();
    if (type == ondemand::json_type::number) {
      if (value.get_double().get(number) != simdjson::SUCCESS) return unfit(value);
    } else if (type == ondemand::json_type::null) {
      bool null = false;
      if (value.is_null().get(null) != simdjson::SUCCESS || !null) return unfit(value);
    } else if (type == ondemand::json_type::string) {
      std::string_view word;
      if (value.get_string().get(word) != simdjson::SUCCESS) return unfit(value);
      if (word == "Infinity" || word == "-Infinity")
        number = word.front() == '-' ? -std::numeric_limits<double>::infinity()
                                     : std::numeric_limits<double>::infinity();
      else if (word != "NaN")
        return wrong(named(out_.name) + ", element " + std::to_string(out_.elements()) +
                     ": expected a number, got a text");
    } else {
      return unfit(value);
    }
    if (out_.type == Datatype::kFp64)
      append(number);
    else
      append(static_cast<float>(number));
    return {};
  }

  template <class Number>
  bool fits(std::int64_t number) {
    if (number < static_cast<std::int64_t>(std::numeric_limits<Number>::min()) ||
        number > static_cast<std::int64_t>(std::numeric_limits<Number>::max()))
      return false;
    append(static_cast<Number>(number));
    return true;
  }

  Status integer(ondemand::value value) {
    if (out_.type == Datatype::kUint64) {
      std::uint64_t number = 0;
      if (value.get_uint64().get(number) != simdjson::SUCCESS) return unfit(value);
      append(number);
      return {};
    }
    std::int64_t number = 0;
    if (value.get_int64().get(number) != simdjson::SUCCESS) {
      double real = 0;  // 3.0 is an integer
      if (value.get_double().get(real) != simdjson::SUCCESS || std::floor(real) != real ||
          std::fabs(real) > 9'007'199'254'740'992)
        return unfit(value);
      number = static_cast<std::int64_t>(real);
    }
    switch (out_.type) {
      case Datatype::kBool:
        if (number == 0 || number == 1) return append(static_cast<std::uint8_t>(number)), Status();
        return unfit(value);
      case Datatype::kInt8:
        return fits<std::int8_t>(number) ? Status() : unfit(value);
      case Datatype::kInt16:
        return fits<std::int16_t>(number) ? Status() : unfit(value);
      case Datatype::kInt32:
        return fits<std::int32_t>(number) ? Status() : unfit(value);
      case Datatype::kUint8:
        return fits<std::uint8_t>(number) ? Status() : unfit(value);
      case Datatype::kUint16:
        return fits<std::uint16_t>(number) ? Status() : unfit(value);
      case Datatype::kUint32:
        return fits<std::uint32_t>(number) ? Status() : unfit(value);
      default:
        append(number);
        return {};
    }
  }

  TensorValue& out_;
};

class RequestReader {
 public:
  RequestReader(std::string_view binary, InferRequest& out) : binary_(binary), out_(out) {}

  Status read(ondemand::document& document) {
    ondemand::object root;
    if (const auto error = document.get_object().get(root))
      return error == simdjson::INCORRECT_TYPE ? wrong("the body must be a JSON object")
                                               : not_json(error);
    TRY(members(root, [&](std::string_view key, ondemand::value value) {
      return request_member(key, value);
    }));
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
      return wrong("the body has more behind its JSON object");
    if (!binary_.empty())
      return wrong("the body has " + std::to_string(binary_.size()) +
                   " bytes more than its inputs' binary_data_size say");
    TRY(check_outputs(out_.outputs));
    if (out_.inputs.empty())
      return wrong("request has no `inputs`",
                   R"(send {"inputs": [{"name", "shape", "datatype", "data"}]})");
    return {};
  }

 private:
  Status request_member(std::string_view key, ondemand::value value) {
    if (key == "id") return read_text("id", value, out_.id);
    if (key == "inputs")
      return each(value, "inputs", [&](ondemand::object item) { return input(item); });
    if (key == "outputs")
      return each(value, "outputs", [&](ondemand::object item) { return output(item); });
    if (key != "parameters") return skip(value);
    TRY_ASSIGN(out_.parameters, tree(value));
    out_.binary_outputs = out_.parameters["binary_data_output"].as_bool();
    return {};
  }

  template <class Each>
  static Status members(ondemand::object object, Each one) {
    for (auto entry : object) {
      ondemand::field field;
      std::string_view key;
      if (const auto error = std::move(entry).get(field)) return not_json(error);
      if (const auto error = field.unescaped_key().get(key)) return not_json(error);
      TRY(one(key, field.value()));
    }
    return {};
  }

  template <class Each>
  static Status each(ondemand::value value, const char* what, Each one) {
    ondemand::array list;
    if (value.get_array().get(list) != simdjson::SUCCESS)
      return wrong(std::string("`") + what + "` must be a list");
    for (auto entry : list) {
      ondemand::object item;
      if (const auto error = entry.get_object().get(item))
        return error == simdjson::INCORRECT_TYPE
                   ? wrong(std::string("`") + what + "` must be a list of objects")
                   : not_json(error);
      TRY(one(item));
    }
    return {};
  }

  static Status read_text(const char* what, ondemand::value value, std::string& out) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS)
      return wrong(std::string("`") + what + "` must be a text");
    out.assign(text);
    return {};
  }

  static base::Result<base::Json> tree(ondemand::value value) {
    std::string_view raw;
    if (const auto error = raw_text(value, raw)) return not_json(error);
    return base::parse_json(raw);
  }

  static Status skip(ondemand::value value) {
    std::string_view raw;
    if (const auto error = raw_text(value, raw)) return not_json(error);
    return {};
  }

  Status shape(ondemand::value value, TensorValue& tensor) {
    ondemand::array list;
    if (value.get_array().get(list) != simdjson::SUCCESS)
      return wrong(named(tensor.name) + ": `shape` must be a list of integers");
    tensor.shape.clear();
    for (auto entry : list) {
      std::int64_t extent = 0;
      if (entry.get_int64().get(extent) != simdjson::SUCCESS)
        return wrong(named(tensor.name) + ": `shape` must be a list of 64-bit integers");
      tensor.shape.push_back(extent);
    }
    return {};
  }

  static Status binary_size(ondemand::value value, const TensorValue& tensor,
                            std::optional<std::size_t>& out) {
    TRY_ASSIGN(const base::Json parameters, tree(value));
    const base::Json* size = parameters.find("binary_data_size");
    if (size == nullptr) return {};
    if (!size->is_int() || size->as_int() < 0)
      return wrong(named(tensor.name) + ": `binary_data_size` must be an integer from 0 up");
    out = static_cast<std::size_t>(size->as_int());
    return {};
  }

  // Keys come in any order: data before their type are read when the rest is known.
  Status input(ondemand::object item) {
    TensorValue& tensor = out_.inputs.emplace_back();
    bool shaped = false, typed = false, filled = false;
    std::string_view late;
    std::optional<std::size_t> binary_bytes;
    const auto member = [&](std::string_view key, ondemand::value value) -> Status {
      if (key == "name") return read_text("name", value, tensor.name);
      if (key == "parameters") return binary_size(value, tensor, binary_bytes);
      if (key == "shape") {
        shaped = true;
        return shape(value, tensor);
      }
      if (key == "datatype") {
        std::string name;
        TRY(read_text("datatype", value, name));
        TRY_ASSIGN(tensor.type, parse_datatype(name));
        typed = true;
        return {};
      }
      if (key != "data") return skip(value);
      filled = true;
      if (typed) return elements(value, tensor);
      if (const auto error = raw_text(value, late)) return not_json(error);
      return {};
    };
    TRY(members(item, member));
    if (tensor.name.empty()) return wrong("an input has no `name`");
    if (!typed) return wrong(named(tensor.name) + " has no `datatype`");
    if (!shaped) return wrong(named(tensor.name) + " has no `shape`");
    if (binary_bytes && filled)
      return wrong(named(tensor.name) + " has both `data` and `binary_data_size`");
    if (!late.empty()) TRY(late_elements(late, tensor));
    TRY_ASSIGN(const std::size_t count, element_count(tensor.name, tensor.shape));
    if (binary_bytes) return take_binary(*binary_bytes, count, tensor);
    if (!filled) return wrong(named(tensor.name) + " has no `data`");
    return matches(count, tensor);
  }

  static Status elements(ondemand::value value, TensorValue& tensor) {
    if (tensor.type == Datatype::kFp16 || tensor.type == Datatype::kBf16)
      return wrong(named(tensor.name) + ": " + std::string(datatype_name(tensor.type)) +
                       " cannot be sent as JSON",
                   "send it with the binary data extension");
    ondemand::json_type type{};
    if (const auto error = value.type().get(type)) return not_json(error);
    if (type != ondemand::json_type::array)
      return wrong(named(tensor.name) + ": `data` must be a list");
    return ElementReader(tensor).read(value);
  }

  static Status late_elements(std::string_view raw, TensorValue& tensor) {
    Reader reader;
    ondemand::document document;
    if (const auto error = reader.open(raw, document)) return not_json(error);
    ondemand::value value;
    if (const auto error = document.get_value().get(value)) return not_json(error);
    return elements(value, tensor);
  }

  Status take_binary(std::size_t size, std::size_t count, TensorValue& tensor) {
    if (size > binary_.size())
      return wrong(named(tensor.name) + ": `binary_data_size` is " + std::to_string(size) +
                   ", and " + std::to_string(binary_.size()) + " bytes of the body are left");
    const std::string_view mine = binary_.substr(0, size);
    binary_.remove_prefix(size);
    return take_raw(mine, count, tensor);
  }

  Status output(ondemand::object item) {
    WantedOutput& wanted = out_.outputs.emplace_back();
    TRY(members(item, [&](std::string_view key, ondemand::value value) -> Status {
      if (key == "name") return read_text("name", value, wanted.name);
      if (key != "parameters") return skip(value);
      TRY_ASSIGN(const base::Json parameters, tree(value));
      if (const base::Json* binary = parameters.find("binary_data"))
        wanted.binary = binary->as_bool();
      wanted.classes = parameters["classification"].as_int();
      return {};
    }));
    return {};
  }

  std::string_view binary_;
  InferRequest& out_;
};

template <class Number>
void append_number(std::string& out, Number number) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  out.append(buffer, static_cast<std::size_t>(end - buffer));
}

template <class Number>
void append_real(std::string& out, Number number, bool nan_tokens) {
  if (std::isfinite(number)) return append_number(out, number);
  if (!nan_tokens)
    out += "null";
  else
    out += std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
}

template <class Number>
Number element(const TensorValue& tensor, std::size_t at) {
  Number out;
  std::memcpy(&out, tensor.bytes.data() + at * sizeof(Number), sizeof(Number));
  return out;
}

}  // namespace

std::string quote_number_tokens(std::string_view json) {
  std::string out;
  out.reserve(json.size() + 64);
  bool text = false;
  for (std::size_t i = 0; i < json.size();) {
    const char c = json[i];
    if (text) {
      if (c == '\\' && i + 1 < json.size()) out += json[i++];
      out += json[i++];
      text = c != '"';
      continue;
    }
    bool token = false;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
      if (json.substr(i, word.size()) != word) continue;
      (((out += '"') += word) += '"');
      i += word.size();
      token = true;
      break;
    }
    if (token) continue;
    text = c == '"';
    out += c;
    ++i;
  }
  return out;
}

Status parse_infer_request(std::string_view body, std::size_t json_bytes, InferRequest& out) {
  if (json_bytes > body.size())
    return wrong("the header says " + std::to_string(json_bytes) +
                 " bytes of JSON and the body has " + std::to_string(body.size()));
  std::string_view json = body.substr(0, json_bytes);
  if (json.empty()) return wrong("the body is empty");
  std::string rewritten;
  if (json.find("NaN") != std::string_view::npos || json.find("Infinity") != std::string_view::npos)
    json = rewritten = quote_number_tokens(json);
  thread_local Reader reader;
  ondemand::document document;
  if (const auto error = reader.open(json, document)) return not_json(error);
  Status status = RequestReader(body.substr(json_bytes), out).read(document);
  reader.shrink();
  return status;
}

Status fill_raw(std::string_view bytes, TensorValue& tensor) {
  TRY_ASSIGN(const std::size_t count, element_count(tensor.name, tensor.shape));
  return take_raw(bytes, count, tensor);
}

Status check_elements(const TensorValue& tensor) {
  TRY_ASSIGN(const std::size_t count, element_count(tensor.name, tensor.shape));
  return matches(count, tensor);
}

Status check_outputs(const std::vector<WantedOutput>& outputs) {
  std::vector<std::string_view> names;
  for (const WantedOutput& wanted : outputs) {
    if (wanted.name.empty()) return wrong("an output has no `name`");
    if (wanted.classes < 0)
      return wrong("`classification` of an output must be an integer from 1 up");
    names.push_back(wanted.name);
  }
  // Sorted rather than each with each: a small body has room for many thousands of names.
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return {};
  return wrong("output `" + std::string(*twice) + "` is asked for twice");
}

std::optional<std::vector<std::string>> parse_binary_texts(std::string_view bytes,
                                                           std::size_t elements) {
  if (elements > bytes.size() / 4) return std::nullopt;
  std::vector<std::string> out;
  out.reserve(elements);
  for (std::size_t i = 0; i < elements; ++i) {
    std::uint32_t length = 0;
    if (bytes.size() < sizeof length) return std::nullopt;
    std::memcpy(&length, bytes.data(), sizeof length);
    bytes.remove_prefix(sizeof length);
    if (length > bytes.size()) return std::nullopt;
    out.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  if (!bytes.empty()) return std::nullopt;
  return out;
}

void append_json_element(std::string& out, const TensorValue& tensor, std::size_t at,
                         bool nan_tokens) {
  switch (tensor.type) {
    case Datatype::kBytes:
      return base::append_json_string(out, tensor.texts[at]);
    case Datatype::kBool:
      out += tensor.bytes[at] != 0 ? "true" : "false";
      return;
    case Datatype::kFp64:
      return append_real(out, element<double>(tensor, at), nan_tokens);
    case Datatype::kFp32:
      return append_real(out, element<float>(tensor, at), nan_tokens);
    case Datatype::kFp16:
    case Datatype::kBf16:
      return append_real(out, static_cast<float>(element_as_double(tensor, at)), nan_tokens);
    case Datatype::kUint64:
      return append_number(out, element<std::uint64_t>(tensor, at));
    case Datatype::kInt64:
      return append_number(out, element<std::int64_t>(tensor, at));
    default:
      return append_number(out, static_cast<std::int64_t>(element_as_double(tensor, at)));
  }
}

void append_json_elements(std::string& out, const TensorValue& tensor, bool nan_tokens) {
  const std::size_t count = tensor.elements();
  for (std::size_t at = 0; at < count; ++at) {
    if (at > 0) out += ',';
    append_json_element(out, tensor, at, nan_tokens);
  }
}

void append_binary_elements(std::string& out, const TensorValue& tensor) {
  out += tensor.bytes;
  for (const std::string& text : tensor.texts) {
    const auto length = static_cast<std::uint32_t>(text.size());
    out.append(reinterpret_cast<const char*>(&length), sizeof length);
    out += text;
  }
}

base::Result<TensorValue> classification(const TensorValue& tensor, std::int64_t count,
                                         const std::vector<std::string>& labels) {
  if (tensor.type == Datatype::kBytes || tensor.type == Datatype::kBool)
    return wrong("output `" + tensor.name + "` holds no numbers to classify by");
  const std::size_t rows =
      tensor.shape.size() < 2 ? 1 : static_cast<std::size_t>(tensor.shape.front());
  const std::size_t width = rows == 0 ? 0 : tensor.elements() / rows;
  const std::size_t kept = std::min(width, static_cast<std::size_t>(count));
  TensorValue out;
  out.name = tensor.name;
  out.type = Datatype::kBytes;
  if (tensor.shape.size() >= 2) out.shape.push_back(static_cast<std::int64_t>(rows));
  out.shape.push_back(static_cast<std::int64_t>(kept));
  std::vector<std::size_t> order(width);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto value = [&](std::size_t k) { return element_as_double(tensor, row * width + k); };
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return value(a) > value(b) || (!std::isnan(value(a)) && std::isnan(value(b)));
    });
    for (std::size_t k = 0; k < kept; ++k) {
      char number[48];
      std::snprintf(number, sizeof number, "%f", value(order[k]));
      std::string text = number;
      text += ':' + std::to_string(order[k]);
      if (order[k] < labels.size()) text += ':' + labels[order[k]];
      out.texts.push_back(std::move(text));
    }
  }
  return out;
}

}  // namespace maru::model
