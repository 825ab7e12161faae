#include "maru/stats/contract.h"

#include <cmath>
#include <map>

#include "maru/base/text.h"
#include "text_tree.h"

namespace maru::stats {
namespace {

using base::Code;
using base::Json;
using data::ColumnType;

constexpr const char* kOurRules =
    "maru";  // the engine of an ODCS custom rule that holds one of our expectations

std::string number(double value) { return base::format_double(value); }

std::string write_tfdv(const Schema& schema) {
  std::string out, domains;
  for (const auto& rule : schema.columns) {
    out += "feature {\n  name: " + quoted(rule.name) + "\n";
    if (rule.required) {
      out += "  presence {\n";
      if (rule.missing_max < 1) out += "    min_fraction: " + number(1 - rule.missing_max) + "\n";
      out += "    min_count: 1\n  }\n";
    }
    out += "  value_count {\n    min: 1\n    max: 1\n  }\n";
    const bool real = rule.type == ColumnType::kFloat;
    const bool whole = rule.type == ColumnType::kInteger || rule.type == ColumnType::kBool;
    out += std::string("  type: ") + (real ? "FLOAT" : whole ? "INT" : "BYTES") + "\n";
    if (rule.type == ColumnType::kBool) {
      out += "  bool_domain {\n  }\n";
    } else if ((real || whole) && (rule.min || rule.max)) {
      out += std::string("  ") + (real ? "float" : "int") + "_domain {\n";
      if (rule.min) out += "    min: " + number(*rule.min) + "\n";
      if (rule.max) out += "    max: " + number(*rule.max) + "\n";
      out += "  }\n";
    } else if (rule.type == ColumnType::kTimestamp) {
      out += "  time_domain {\n    string_format: \"%Y-%m-%dT%H:%M:%S\"\n  }\n";
    }
    if (!rule.domain.empty()) {
      out += "  domain: " + quoted(rule.name) + "\n";
      if (rule.domain_mass_min < 1)
        out +=
            "  distribution_constraints {\n    min_domain_mass: " + number(rule.domain_mass_min) +
            "\n  }\n";
      domains += "string_domain {\n  name: " + quoted(rule.name) + "\n";
      for (const auto& value : rule.domain) domains += "  value: " + quoted(value) + "\n";
      domains += "}\n";
    }
    for (const auto& name : rule.absent_in) out += "  not_in_environment: " + quoted(name) + "\n";
    out += "}\n";
  }
  return out + domains;
}

const Json& first(const Json& message, const char* key) { return message[key].at(0); }

base::Result<Schema> read_tfdv(const std::string& text) {
  TRY_ASSIGN(const Json root, parse_proto_text(text));
  std::map<std::string, std::vector<std::string>> domains;
  for (const auto& domain : root["string_domain"].items())
    for (const auto& value : domain["value"].items())
      domains[first(domain, "name").as_string()].push_back(value.is_string() ? value.as_string()
                                                                             : value.dump());
  Schema out;
  for (const auto& feature : root["feature"].items()) {
    ColumnRule rule;
    rule.name = first(feature, "name").as_string();
    if (rule.name.empty()) return base::fail(Code::kInvalidArgument, "a feature has no name");
    const std::string type = first(feature, "type").as_string();
    rule.type = type == "INT"     ? ColumnType::kInteger
                : type == "FLOAT" ? ColumnType::kFloat
                                  : ColumnType::kText;
    if (feature.has("bool_domain")) rule.type = ColumnType::kBool;
    if (feature.has("time_domain")) rule.type = ColumnType::kTimestamp;
    rule.required = feature.has("presence");
    const Json& fraction = first(first(feature, "presence"), "min_fraction");
    rule.missing_max = fraction.is_number() ? 1 - fraction.as_double() : 1;
    for (const char* key : {"int_domain", "float_domain"}) {
      if (!feature.has(key)) continue;
      const Json& bounds = first(feature, key);
      if (first(bounds, "min").is_number()) rule.min = first(bounds, "min").as_double();
      if (first(bounds, "max").is_number()) rule.max = first(bounds, "max").as_double();
    }
    if (feature.has("domain")) rule.domain = domains[first(feature, "domain").as_string()];
    for (const auto& value : first(feature, "string_domain")["value"].items())
      rule.domain.push_back(value.as_string());
    const Json& mass = first(first(feature, "distribution_constraints"), "min_domain_mass");
    if (mass.is_number()) rule.domain_mass_min = mass.as_double();
    for (const auto& name : feature["not_in_environment"].items())
      rule.absent_in.push_back(name.as_string());
    out.columns.push_back(std::move(rule));
  }
  if (out.columns.empty()) return base::fail(Code::kInvalidArgument, "no feature in the schema");
  return out;
}

std::string json_type(ColumnType type) {
  switch (type) {
    case ColumnType::kBool:
      return "boolean";
    case ColumnType::kInteger:
      return "integer";
    case ColumnType::kFloat:
      return "number";
    default:
      return "string";
  }
}

std::string write_json_schema(const Schema& schema, const std::string& name) {
  Json properties = Json::object(), required = Json::array();
  for (const auto& rule : schema.columns) {
    Json property = Json::object();
    Json type = json_type(rule.type);
    if (rule.missing_max > 0) {
      Json types = Json::array();
      types.push(type);
      types.push("null");
      type = types;
    }
    property.set("type", type);
    if (rule.type == ColumnType::kTimestamp) property.set("format", "date-time");
    if (rule.min) property.set("minimum", *rule.min);
    if (rule.max) property.set("maximum", *rule.max);
    if (!rule.domain.empty() && rule.domain_mass_min >= 1) {
      Json values = Json::array();
      for (const auto& value : rule.domain) values.push(value);
      if (rule.missing_max > 0) values.push(Json());
      property.set("enum", values);
    }
    if (!rule.description.empty()) property.set("description", rule.description);
    properties.set(rule.name, property);
    if (rule.required) required.push(rule.name);
  }
  return Json::object({{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                       {"title", name},
                       {"type", "object"},
                       {"properties", properties},
                       {"required", required},
                       {"additionalProperties", schema.allow_new_columns}})
             .dump_pretty() +
         "\n";
}

ColumnType type_named(const std::string& type, const std::string& format) {
  if (type == "boolean") return ColumnType::kBool;
  if (type == "integer") return ColumnType::kInteger;
  if (type == "number") return ColumnType::kFloat;
  if (type == "date" || type == "timestamp" || format == "date-time" || format == "date")
    return ColumnType::kTimestamp;
  return ColumnType::kText;
}

base::Result<Schema> read_json_schema(const std::string& text) {
  TRY_ASSIGN(const Json root, base::parse_json(text));
  if (!root["properties"].is_object())
    return base::fail(Code::kInvalidArgument, "the JSON Schema has no properties",
                      "it must describe one row as an object");
  Schema out;
  out.allow_new_columns = root["additionalProperties"].as_bool(true);
  for (const auto& [name, property] : root["properties"].members()) {
    ColumnRule rule;
    rule.name = name;
    rule.required = false;
    for (const auto& item : root["required"].items())
      rule.required = rule.required || item.as_string() == name;
    std::string type = property["type"].as_string();
    rule.missing_max = 0;
    for (const auto& item : property["type"].items()) {
      if (item.as_string() == "null")
        rule.missing_max = 1;
      else
        type = item.as_string();
    }
    rule.type = type_named(type, property["format"].as_string());
    if (property["minimum"].is_number()) rule.min = property["minimum"].as_double();
    if (property["maximum"].is_number()) rule.max = property["maximum"].as_double();
    for (const auto& value : property["enum"].items())
      if (value.is_string()) rule.domain.push_back(value.as_string());
    rule.description = property["description"].as_string();
    if (property["pattern"].is_string()) {
      Expectation pattern;
      pattern.kind = "matches";
      pattern.column = name;
      pattern.value = Json::object({{"pattern", property["pattern"]}});
      out.expectations.push_back(std::move(pattern));
    }
    out.columns.push_back(std::move(rule));
  }
  return out;
}

std::string logical_type(ColumnType type) {
  return type == ColumnType::kTimestamp ? "date" : json_type(type);
}

std::string write_odcs(const Schema& schema, const std::string& name) {
  std::string out =
      "apiVersion: v3.0.2\nkind: DataContract\nid: " + quoted(name) + "\nname: " + quoted(name) +
      "\nversion: " + quoted(std::to_string(schema.version) + ".0.0") + "\nstatus: active\n";
  if (!schema.owner.empty())
    out += "team:\n  - username: " + quoted(schema.owner) + "\n    role: owner\n";
  out += "schema:\n  - name: " + quoted(name) + "\n    logicalType: object\n    properties:\n";
  for (const auto& rule : schema.columns) {
    out += "      - name: " + quoted(rule.name) +
           "\n        logicalType: " + logical_type(rule.type) +
           "\n        required: " + (rule.missing_max == 0 ? "true" : "false") +
           "\n        unique: " + (rule.unique ? "true" : "false") + "\n";
    if (!rule.description.empty()) out += "        description: " + quoted(rule.description) + "\n";
    if (rule.min || rule.max) {
      out += "        logicalTypeOptions:\n";
      if (rule.min) out += "          minimum: " + number(*rule.min) + "\n";
      if (rule.max) out += "          maximum: " + number(*rule.max) + "\n";
    }
    if (rule.missing_max > 0 || !rule.domain.empty()) {
      out += "        quality:\n";
      if (rule.missing_max > 0)
        out +=
            "          - rule: nullCheck\n            unit: percent\n            "
            "mustBeLessOrEqualTo: " +
            number(rule.missing_max * 100) + "\n";
      if (!rule.domain.empty()) {
        Json values = Json::array();
        for (const auto& value : rule.domain) values.push(value);
        out += "          - rule: invalidValues\n            validValues: " + values.dump() +
               "\n            unit: percent\n            mustBeLessOrEqualTo: " +
               number((1 - rule.domain_mass_min) * 100) + "\n";
      }
    }
  }
  if (schema.expectations.empty()) return out;
  out += "    quality:\n";
  for (const auto& item : schema.expectations)
    out += std::string("      - type: custom\n        engine: ") + kOurRules +
           "\n        implementation: " + quoted(item.to_json().dump()) + "\n";
  return out;
}

void read_quality(const Json& item, ColumnRule& rule) {
  const std::string kind = item["rule"].as_string();
  const double most = item["mustBeLessOrEqualTo"].is_number()
                          ? item["mustBeLessOrEqualTo"].as_double()
                          : item["mustBe"].as_double(0);
  const bool percent = item["unit"].as_string() == "percent";
  if (kind == "nullCheck" || kind == "nullValues")
    rule.missing_max = percent ? most / 100 : most == 0 ? 0 : 1;
  if (kind == "invalidValues" || kind == "validValues") {
    for (const auto& value : item["validValues"].items()) rule.domain.push_back(value.as_string());
    rule.domain_mass_min = percent ? 1 - most / 100 : 1;
  }
  if (kind == "duplicateValues" || kind == "uniqueCheck") rule.unique = true;
}

base::Result<Schema> read_odcs(const std::string& text) {
  TRY_ASSIGN(const Json root, parse_plain_yaml(text));
  if (root["kind"].as_string() != "DataContract")
    return base::fail(Code::kInvalidArgument, "no data contract: `kind: DataContract` is missing");
  const Json& object = root["schema"].at(0);
  Schema out;
  for (const auto& person : root["team"].items())
    if (person["role"].as_string() == "owner") out.owner = person["username"].as_string();
  for (const auto& property : object["properties"].items()) {
    ColumnRule rule;
    rule.name = property["name"].as_string();
    if (rule.name.empty())
      return base::fail(Code::kInvalidArgument, "a property of the contract has no name");
    rule.type = type_named(property["logicalType"].as_string(), "");
    rule.missing_max = property["required"].as_bool() ? 0 : 1;
    rule.unique = property["unique"].as_bool() || property["primaryKey"].as_bool();
    rule.description = property["description"].as_string();
    const Json& bounds = property["logicalTypeOptions"];
    if (bounds["minimum"].is_number()) rule.min = bounds["minimum"].as_double();
    if (bounds["maximum"].is_number()) rule.max = bounds["maximum"].as_double();
    for (const auto& item : property["quality"].items()) read_quality(item, rule);
    out.columns.push_back(std::move(rule));
  }
  for (const auto& item : object["quality"].items()) {
    if (item["engine"].as_string() != kOurRules) continue;
    TRY_ASSIGN(const Json json, base::parse_json(item["implementation"].as_string()));
    TRY_ASSIGN(Expectation expectation, Expectation::from_json(json));
    out.expectations.push_back(std::move(expectation));
  }
  if (out.columns.empty())
    return base::fail(Code::kInvalidArgument, "the contract has no properties in its first schema");
  return out;
}

tl::unexpected<base::Error> unknown(const std::string& format) {
  return base::fail(Code::kInvalidArgument, "unknown format of a schema: " + format,
                    "json, tfdv, jsonschema or odcs");
}

}  // namespace

base::Result<std::string> write_contract(const Schema& schema, const std::string& name,
                                         const std::string& format) {
  if (format == "tfdv") return write_tfdv(schema);
  if (format == "jsonschema") return write_json_schema(schema, name);
  if (format == "odcs") return write_odcs(schema, name);
  return unknown(format);
}

base::Result<Schema> read_contract(const std::string& text, const std::string& format) {
  if (format == "tfdv") return read_tfdv(text);
  if (format == "jsonschema") return read_json_schema(text);
  if (format == "odcs") return read_odcs(text);
  return unknown(format);
}

}  // namespace maru::stats
