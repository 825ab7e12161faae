#include "inference/wire.h"

// MLflow's scoring protocol, which is SageMaker's container contract too: /invocations and /ping.
namespace maru::api::inference {
namespace {

Response mlflow_error(const base::Error& error, const Request&, const Context&) {
  return Response::json(Json::object({{"error_code", std::string(base::code_name(error.code))},
                                      {"message", error.message},
                                      {"hint", error.hint}}),
                        base::http_status(error.code));
}

base::Result<serve::Answer> run_rows(const Services& s, const Request& request,
                                     const Context& context, std::string_view name,
                                     const Json& rows, model::Predictions& out) {
  return s.server->predict(
      name, call_options(request, context),
      [&](const model::Signature& signature, model::InputBatch& batch) {
        return model::fill_from_rows(signature, rows, batch);
      },
      out);
}

// The columns/data, records and instances forms as rows.
base::Result<Json> rows_of_scoring(const Json& body) {
  if (body.has("dataframe_records")) return body["dataframe_records"];
  if (body.has("instances")) return body["instances"];
  if (body.has("dataframe_split")) {
    const Json& split = body["dataframe_split"];
    Json rows = Json::array();
    for (const auto& cells : split["data"].items()) {
      if (cells.size() != split["columns"].size())
        return base::fail(base::Code::kInvalidArgument,
                          "dataframe_split: a row has " + std::to_string(cells.size()) +
                              " cells for " + std::to_string(split["columns"].size()) + " columns");
      Json row = Json::object();
      for (std::size_t i = 0; i < cells.size(); ++i)
        row.set(split["columns"].at(i).as_string(), cells.at(i));
      rows.push(std::move(row));
    }
    return rows;
  }
  if (body.has("inputs")) {
    if (body["inputs"].is_array()) return body["inputs"];
    Json::Array rows;
    for (const auto& [name, values] : body["inputs"].members()) {
      if (rows.empty()) rows.assign(values.size(), Json::object());
      if (values.size() != rows.size())
        return base::fail(base::Code::kInvalidArgument,
                          "inputs: column `" + name + "` has another length than the first");
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const Json& value = values.at(i);
        rows[i].set(name, value.is_array() && value.size() == 1 ? value.at(0) : value);
      }
    }
    return Json(std::move(rows));
  }
  return base::fail(base::Code::kInvalidArgument, "request names none of the scoring forms",
                    "send dataframe_split, dataframe_records, instances or inputs");
}

// `?endpoint=` names it; a server with one endpoint needs no name.
base::Result<std::string> scoring_endpoint(const Services& s, const Request& request) {
  const std::string named(request.query_param("endpoint"));
  if (!named.empty()) return named;
  const auto endpoints = s.server->list();
  if (endpoints.size() == 1) return endpoints.front().config.name;
  return base::fail(base::Code::kInvalidArgument,
                    "which endpoint is not said and there are " + std::to_string(endpoints.size()),
                    "call /invocations?endpoint=NAME");
}

base::Result<Response> invocations(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const std::string endpoint, scoring_endpoint(s, request));
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const Json rows, rows_of_scoring(body));
  model::Predictions predictions;
  TRY_ASSIGN(const auto chosen, run_rows(s, request, context, endpoint, rows, predictions));
  Json out = Json::array();
  for (std::size_t row = 0; row < predictions.rows; ++row) {
    if (predictions.width == 1) {
      out.push(predictions.score(row));
      continue;
    }
    Json scores = Json::array();
    for (std::size_t k = 0; k < predictions.width; ++k) scores.push(predictions.score(row, k));
    out.push(std::move(scores));
  }
  return answer(Json::object({{"predictions", out}}));
}

}  // namespace

void add_scoring_routes(Router& router, const Services& s) {
  http::RouteOptions scoring{Permission::kPredict, RunOn::kServe};
  scoring.error_format = mlflow_error;
  router.add(Method::kPost, "/invocations", scoring, [s](const Request& request, Context& context) {
    return invocations(s, request, context);
  });
  router.add(
      Method::kGet, "/ping", {Permission::kPublic, RunOn::kInline},
      [](const Request&, Context&) -> base::Result<Response> { return Response::text("\n"); });
}

}  // namespace maru::api::inference
