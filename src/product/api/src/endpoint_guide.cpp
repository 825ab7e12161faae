#include "endpoint_guide.h"

#include <algorithm>
#include <cmath>

#include "maru/model/tensor.h"

namespace maru::api {
namespace {

constexpr std::size_t kExamples = 3;  // of a column

// ---- rows

Json cell_json(const data::Column& column, std::size_t row, model::InputKind kind) {
  if (!column.is_valid(row)) return {};
  switch (kind) {
    case model::InputKind::kText:
    case model::InputKind::kTimestamp:
      return column.display(row);
    case model::InputKind::kBoolean:
      return column.number(row) != 0;
    case model::InputKind::kInteger:
      return static_cast<std::int64_t>(column.number(row));
    case model::InputKind::kNumber:
      break;
  }
  const double value = column.number(row);
  return std::isfinite(value) ? Json(value) : Json();
}

Json sample_row(const model::Signature& signature, const data::Table& sample, std::size_t row) {
  Json out = Json::object();
  for (const model::Input& input : signature.inputs) {
    const data::Column* column = sample.find(input.name);
    out.set(input.name, column != nullptr ? cell_json(*column, row, input.kind) : input.example);
  }
  return out;
}

// The first sample row with the fewest holes says most.
Json column_row(const model::Signature& signature, const data::Table& sample) {
  Json best;
  std::size_t fewest = ~std::size_t{0};
  for (std::size_t row = 0; row < std::min<std::size_t>(sample.rows(), 32) && fewest > 0; ++row) {
    Json here = sample_row(signature, sample, row);
    const auto holes = static_cast<std::size_t>(
        std::count_if(here.members().begin(), here.members().end(),
                      [](const auto& member) { return member.second.is_null(); }));
    if (holes >= fewest) continue;
    fewest = holes;
    best = std::move(here);
  }
  if (!best.is_null()) return best;
  best = Json::object();
  for (const model::Input& input : signature.inputs) best.set(input.name, input.example);
  return best;
}

Json zeros(const model::TensorSpec& spec, std::size_t level) {
  if (level >= spec.shape.size()) {
    if (spec.type == model::Datatype::kBytes) return "";
    if (spec.type == model::Datatype::kBool) return false;
    return 0;
  }
  Json out = Json::array();
  for (std::int64_t i = 0; i < std::max<std::int64_t>(1, spec.shape[level]); ++i)
    out.push(zeros(spec, level + 1));
  return out;
}

Json tensor_row(const model::TensorModel& tensors, const Json& example) {
  Json out = Json::object();
  for (const model::TensorSpec& spec : tensors.inputs())
    out.set(spec.name, example[spec.name].is_null() ? zeros(spec, 1) : example[spec.name]);
  // A model with one input takes its bare values.
  return out.members().size() == 1 ? out.members().front().second : out;
}

bool is_looked_up(const EndpointFacts& facts, const std::string& name) {
  return std::find(facts.looked_up.begin(), facts.looked_up.end(), name) != facts.looked_up.end();
}

Json key_json(const data::Column& key) {
  if (key.rows() == 0 || !key.is_valid(0)) return {};
  if (key.type == data::ColumnType::kText || key.type == data::ColumnType::kTimestamp)
    return key.display(0);
  if (key.type == data::ColumnType::kFloat) return key.reals[0];
  return key.integers[0];
}

// ---- schemas

Json distinct_values(const data::Table& sample, const model::Input& input) {
  Json out = Json::array();
  const data::Column* column = sample.find(input.name);
  if (column == nullptr) {
    if (!input.example.is_null()) out.push(input.example);
    return out;
  }
  for (std::size_t row = 0; row < sample.rows() && out.size() < kExamples; ++row) {
    const Json value = cell_json(*column, row, input.kind);
    if (value.is_null()) continue;
    const auto same = [&](const Json& other) { return other.dump() == value.dump(); };
    if (std::none_of(out.items().begin(), out.items().end(), same)) out.push(value);
  }
  return out;
}

Json input_schema(const model::Input& input, const data::Table& sample) {
  const char* type = "number";
  Json out = Json::object();
  switch (input.kind) {
    case model::InputKind::kNumber:
      break;
    case model::InputKind::kInteger:
      type = "integer";
      break;
    case model::InputKind::kBoolean:
      type = "boolean";
      break;
    case model::InputKind::kTimestamp:
      out.set("description",
              "time, ISO 8601, UTC when it names no zone; or microseconds since 1970");
      [[fallthrough]];
    case model::InputKind::kText:
      type = "string";
      break;
  }
  Json types = Json::array({type, "null"});
  if (input.kind == model::InputKind::kTimestamp) types.push("integer");
  out.set("type", std::move(types));
  if (Json values = distinct_values(sample, input); values.size() > 0)
    out.set("examples", std::move(values));
  return out;
}

Json row_schema(const EndpointFacts& facts) {
  const model::Signature& signature = facts.bundle->signature();
  Json properties = Json::object(), required = Json::array();
  for (const data::Column& key : facts.keys.columns) {
    if (signature.index_of(key.name) < 0)
      properties.set(key.name,
                     Json::object({{"description", "the key that features are looked up by"},
                                   {"examples", Json::array({key_json(key)})}}));
    required.push(key.name);
  }
  for (const model::Input& input : signature.inputs) {
    Json schema = input_schema(input, facts.bundle->sample());
    const bool looked_up = is_looked_up(facts, input.name);
    if (looked_up) schema.set("description", "looked up by the key when it is left out");
    properties.set(input.name, std::move(schema));
    if (input.required && !looked_up && facts.keys.index_of(input.name) < 0)
      required.push(input.name);
  }
  for (const std::string& name : signature.ignored)
    if (!properties.has(name))
      properties.set(name, Json::object({{"description", "accepted, and not used by the model"}}));
  return Json::object({{"type", "object"},
                       {"properties", std::move(properties)},
                       {"required", std::move(required)},
                       {"additionalProperties", false},
                       {"description", "null is a missing value"}});
}

Json tensor_schema(const model::TensorSpec& spec, std::size_t level) {
  if (level >= spec.shape.size()) {
    const char* type = spec.type == model::Datatype::kBytes  ? "string"
                       : spec.type == model::Datatype::kBool ? "boolean"
                                                             : "number";
    return Json::object({{"type", type}});
  }
  Json out = Json::object({{"type", "array"}, {"items", tensor_schema(spec, level + 1)}});
  if (spec.shape[level] >= 0)
    out.set("minItems", spec.shape[level]).set("maxItems", spec.shape[level]);
  return out;
}

Json tensor_row_schema(const std::vector<model::TensorSpec>& specs) {
  Json properties = Json::object(), required = Json::array();
  for (const model::TensorSpec& spec : specs) {
    Json schema = tensor_schema(spec, 1);
    schema.set("description", model::datatype_name(spec.type));
    if (specs.size() == 1) return schema;
    properties.set(spec.name, std::move(schema));
    required.push(spec.name);
  }
  return Json::object({{"type", "object"},
                       {"properties", std::move(properties)},
                       {"required", std::move(required)}});
}

Json prediction_schema(const model::Signature& signature) {
  if (signature.task == model::Task::kRegression)
    return Json::object(
        {{"type", Json::array({"number", "null"})}, {"description", signature.label}});
  const Json probability = Json::object({{"type", "number"}, {"minimum", 0}, {"maximum", 1}});
  Json properties =
      Json::object({{"prediction", Json::object({{"enum", text_array(signature.classes)}})}});
  if (signature.task == model::Task::kBinary) {
    Json positive = probability;
    positive.set("description",
                 "of " + (signature.classes.size() > 1 ? signature.classes[1] : "1"));
    properties.set("probability", std::move(positive));
  } else {
    Json by_class = Json::object();
    for (const std::string& name : signature.classes) by_class.set(name, probability);
    properties.set("probabilities",
                   Json::object({{"type", "object"}, {"properties", std::move(by_class)}}));
  }
  return Json::object({{"type", "object"}, {"properties", std::move(properties)}});
}

Json ref(const char* name) {
  return Json::object({{"$ref", std::string("#/components/schemas/") + name}});
}

Json body_of(Json schema) {
  return Json::object({{"application/json", Json::object({{"schema", std::move(schema)}})}});
}

Json header(const std::string& name, const std::string& what) {
  return Json::object({{"name", name},
                       {"in", "header"},
                       {"description", what},
                       {"schema", Json::object({{"type", "string"}})}});
}

Json responses(Json good) {
  Json out = Json::object({{"200", std::move(good)}});
  constexpr std::pair<const char*, const char*> kRefused[] = {
      {"400", "a body, a column or a value that the model does not take"},
      {"401", "no token, or a bad one"},
      {"403", "a token too weak"},
      {"413", "a body that is too large"},
      {"429", "too many calls at a time; Retry-After says when"},
      {"503", "not ready, or too much work waits; Retry-After says when"},
      {"504", "not answered within X-Request-Timeout"}};
  for (const auto& [status, what] : kRefused)
    out.set(status, Json::object({{"description", what}, {"content", body_of(ref("Error"))}}));
  return out;
}

Json predict_path(const EndpointFacts& facts, const Json& row) {
  Json headers = Json::array(
      {header("X-Request-Timeout", "the longest wait, as 250ms or 2s; a number alone is seconds"),
       header("traceparent", "W3C trace context; the answer goes on with it"),
       header("X-Maru-Timing", "1: the answer tells in Server-Timing where its time went")});
  if (!facts.sticky_header.empty())
    headers.push(header(facts.sticky_header, "calls with the same value get the same version"));
  Json content = body_of(ref("Predict"));
  Json media = content["application/json"];
  media.set("example", Json::object({{"instances", Json::array({row})}}));
  content.set("application/json", std::move(media));
  return Json::object(
      {{"post",
        Json::object(
            {{"operationId", "predict"},
             {"summary", "Predict rows"},
             {"parameters", std::move(headers)},
             {"requestBody", Json::object({{"required", true}, {"content", std::move(content)}})},
             {"responses", responses(Json::object({{"description", "one prediction for each row"},
                                                   {"content", body_of(ref("Answer"))}}))}})}});
}

Json feedback_path() {
  const Json item = Json::object(
      {{"type", "object"},
       {"properties",
        Json::object({{"id", Json::object({{"type", "string"}})},
                      {"label", Json::object({{"description", "what it turned out to be"}})},
                      {"reward", Json::object({{"type", "number"}})}})},
       {"required", Json::array({"id"})}});
  const Json either = Json::object(
      {{"oneOf", Json::array({item, Json::object({{"type", "array"}, {"items", item}})})}});
  return Json::object(
      {{"post",
        Json::object(
            {{"operationId", "feedback"},
             {"summary", "Tell what a prediction turned out to be worth"},
             {"requestBody", Json::object({{"required", true}, {"content", body_of(either)}})},
             {"responses", responses(Json::object(
                               {{"description", "taken"},
                                {"content", body_of(Json::object({{"type", "object"}}))}}))}})}});
}

Json schemas(const EndpointFacts& facts) {
  const model::Bundle& bundle = *facts.bundle;
  const model::Signature& signature = bundle.signature();
  const model::TensorModel* tensors = bundle.tensors();
  const Json text = Json::object({{"type", "string"}});
  const Json rows = Json::object({{"type", "array"}, {"items", ref("Row")}});
  const Json predictions = Json::object({{"type", "array"}, {"items", ref("Prediction")}});
  return Json::object(
      {{"Row", tensors != nullptr ? tensor_row_schema(tensors->inputs()) : row_schema(facts)},
       {"Prediction", tensors != nullptr ? Json::object() : prediction_schema(signature)},
       {"Predict", Json::object({{"type", "object"},
                                 {"properties", Json::object({{"instances", rows}})},
                                 {"required", Json::array({"instances"})}})},
       {"Answer",
        Json::object({{"type", "object"},
                      {"properties", Json::object({{"id", text},
                                                   {"version", Json::object({{"type", "integer"}})},
                                                   {"predictions", predictions}})},
                      {"required", Json::array({"id", "version", "predictions"})}})},
       {"Error", Json::object({{"type", "object"},
                               {"properties", Json::object({{"error_code", text},
                                                            {"message", text},
                                                            {"hint", text},
                                                            {"request_id", text}})}})}});
}

std::string description_of(const EndpointFacts& facts) {
  if (facts.bundle->tensors() != nullptr) return "A model of tensors, made elsewhere.";
  const model::Signature& signature = facts.bundle->signature();
  std::string out = "Predicts " + (signature.label.empty() ? "its label" : signature.label) + " (" +
                    std::string(model::task_name(signature.task)) + ").";
  const Json& learner = facts.bundle->metadata()["learner"];
  if (learner.is_string()) out += " Learner: " + learner.as_string() + ".";
  return out;
}

// ---- calls

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

std::string quoted(std::string_view text) {
  std::string out;
  base::append_json_string(out, text);
  return out;
}

// JSON as Python writes it.
std::string python_literal(const Json& json) {
  if (json.is_null()) return "None";
  if (json.is_bool()) return json.as_bool() ? "True" : "False";
  std::string out;
  if (json.is_array()) {
    for (const Json& item : json.items()) out += (out.empty() ? "" : ", ") + python_literal(item);
    return "[" + out + "]";
  }
  if (json.is_object()) {
    for (const auto& [key, value] : json.members())
      out += (out.empty() ? "" : ", ") + quoted(key) + ": " + python_literal(value);
    return "{" + out + "}";
  }
  return json.dump();
}

std::string curl_call(const std::string& url, const std::string& body) {
  return "curl -sS '" + url + "' \\\n  -H 'Content-Type: application/json' \\\n" +
         "  ${MARU_TOKEN:+-H \"Authorization: Bearer $MARU_TOKEN\"} \\\n  -d '" +
         replaced(body, "'", "'\\''") + "'\n";
}

std::string python_call(const std::string& url, const Json& body) {
  return "import json, os, urllib.request\n\nrows = " + python_literal(body["instances"]) +
         "\nheaders = {\"Content-Type\": \"application/json\"}\n"
         "if os.environ.get(\"MARU_TOKEN\"):\n"
         "    headers[\"Authorization\"] = \"Bearer \" + os.environ[\"MARU_TOKEN\"]\n"
         "request = urllib.request.Request(\n    " +
         quoted(url) +
         ",\n    json.dumps({\"instances\": rows}).encode(), headers)\n"
         "with urllib.request.urlopen(request) as answer:\n    print(json.load(answer))\n";
}

std::string javascript_call(const std::string& url, const std::string& rows) {
  return "const rows = " + rows +
         ";\nconst headers = { 'Content-Type': 'application/json' };\n"
         "if (globalThis.process?.env.MARU_TOKEN) headers.Authorization = `Bearer "
         "${process.env.MARU_TOKEN}`;\nconst answer = await fetch(" +
         quoted(url) +
         ", {\n  method: 'POST', headers, body: JSON.stringify({ instances: rows }),\n});\n"
         "console.log(JSON.stringify(await answer.json()));\n";
}

std::string cpp_call(const std::string& url, const std::string& body) {
  std::string mark = "json";
  while (body.find(")" + mark + "\"") != std::string::npos) mark += "x";
  return R"(#include <curl/curl.h>

#include <cstdlib>
#include <iostream>
#include <string>

static std::size_t append(char* bytes, std::size_t, std::size_t size, void* out) {
  static_cast<std::string*>(out)->append(bytes, size);
  return size;
}

int main() {
  const std::string body = R")" +
         mark + "(" + body + ")" + mark + R"(";
  std::string answer;
  CURL* curl = curl_easy_init();
  curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
  if (const char* token = std::getenv("MARU_TOKEN"))
    headers = curl_slist_append(headers, ("Authorization: Bearer " + std::string(token)).c_str());
  curl_easy_setopt(curl, CURLOPT_URL, )" +
         quoted(url) + R"();
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
  const CURLcode done = curl_easy_perform(curl);
  if (done == CURLE_OK) std::cout << answer << '\n';
  else std::cerr << curl_easy_strerror(done) << '\n';
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  return done == CURLE_OK ? 0 : 1;
}
)";
}

std::string path_of(const EndpointFacts& facts) {
  return "/api/v1/endpoints/" + http::percent_encode(facts.name);
}

}  // namespace

Json example_row(const EndpointFacts& facts) {
  const model::Bundle& bundle = *facts.bundle;
  if (bundle.tensors() != nullptr)
    return tensor_row(*bundle.tensors(), bundle.metadata()["example"]);
  Json row = column_row(bundle.signature(), bundle.sample());
  if (facts.keys.columns.empty()) return row;
  Json out = Json::object();
  for (const data::Column& key : facts.keys.columns) out.set(key.name, key_json(key));
  for (const auto& [name, value] : row.members())
    if (!out.has(name) && !is_looked_up(facts, name)) out.set(name, value);
  return out;
}

Json endpoint_openapi(const EndpointFacts& facts) {
  const Json bearer = Json::object({{"type", "http"}, {"scheme", "bearer"}});
  Json paths = Json::object();
  paths.set(path_of(facts) + "/predict", predict_path(facts, example_row(facts)));
  paths.set(path_of(facts) + "/feedback", feedback_path());
  return Json::object(
      {{"openapi", "3.1.0"},
       {"info", Json::object({{"title", facts.name},
                              {"version", std::to_string(facts.version)},
                              {"description", description_of(facts)}})},
       {"servers", Json::array({Json::object({{"url", facts.base_url}})})},
       // A caller on the server's own machine needs no token.
       {"security", Json::array({Json::object(), Json::object({{"token", Json::array()}})})},
       {"paths", std::move(paths)},
       {"components", Json::object({{"securitySchemes", Json::object({{"token", bearer}})},
                                    {"schemas", schemas(facts)}})}});
}

Json endpoint_examples(const EndpointFacts& facts) {
  const std::string url = facts.base_url + path_of(facts) + "/predict";
  const Json body = Json::object({{"instances", Json::array({example_row(facts)})}});
  const std::string text = body.dump();
  const auto example = [](const char* language, const char* title, const char* run,
                          std::string code) {
    return Json::object(
        {{"language", language}, {"title", title}, {"run", run}, {"code", std::move(code)}});
  };
  return Json::array({example("curl", "curl", "sh call.sh", curl_call(url, text)),
                      example("python", "Python", "python3 call.py", python_call(url, body)),
                      example("javascript", "JavaScript", "node call.mjs",
                              javascript_call(url, body["instances"].dump())),
                      example("cpp", "C++", "g++ -std=c++17 call.cpp -lcurl -o call && ./call",
                              cpp_call(url, text))});
}

}  // namespace maru::api
