#include "maru/tracking/filter.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <map>

namespace {

using namespace maru::tracking;
using maru::base::Code;

bool accepts(const char* text, const Grammar& grammar = run_grammar()) {
  return parse_filter(text, grammar).has_value();
}
std::string message(const char* text, const Grammar& grammar = run_grammar()) {
  const auto filter = parse_filter(text, grammar);
  return filter ? "" : filter.error().text();
}
Comparison leaf(const char* text, const Grammar& grammar = run_grammar()) {
  const auto filter = parse_filter(text, grammar);
  REQUIRE_MESSAGE(filter, text);
  REQUIRE(filter->kind == Filter::Kind::kCompare);
  return filter->leaf;
}
std::string text_of(const char* text) { return std::get<std::string>(leaf(text).value); }
double number_of(const char* text) { return std::get<double>(leaf(text).value); }

// A run: loss 0.5, nan NaN, param a "x y", tag env "Prod", status FINISHED, start_time 1000.
bool holds(const char* text) {
  const auto filter = parse_filter(text, run_grammar());
  REQUIRE_MESSAGE(filter, text, ": ", filter.error().text());
  return matches_values(*filter, [](Entity entity, const std::string& key) -> Cell {
    if (entity == Entity::kMetric && key == "loss") return 0.5;
    if (entity == Entity::kMetric && key == "nan") return std::nan("");
    if (entity == Entity::kParam && key == "a") return std::string_view("x y");
    if (entity == Entity::kTag && key == "env") return std::string_view("Prod");
    if (entity == Entity::kAttribute && key == "status") return std::string_view("FINISHED");
    if (entity == Entity::kAttribute && key == "start_time") return 1000.0;
    return {};
  });
}

}  // namespace

TEST_CASE("filter: everything that MLflow's parser accepts is accepted") {
  for (const char* text : {
           "",
           "metrics.loss > 1",
           "metric.loss>=.5",
           "metrics.a<-5.",
           "metrics.a != 1e-5",
           "metrics.a=1E-5",
           "metrics.`a b/c` < 1",
           "metrics.\"a b\" < 1",
           "metrics.1a > 3",
           "params.a = 'x'",
           "param.a != \"x\"",
           "parameters.a LIKE '%x'",
           "parameter.a ilike 'x_'",
           "params.a IS NULL",
           "params.a is not null",
           "params. = 'x'",
           "params.'a' = '1'",
           "params.a = ''",
           "tags.mlflow.user = 'me'",
           "tag.order = 'x'",
           "tags.`a-b` = 'x'",
           "`tags`.a = 'x'",
           "tags.한글 = '마루'",
           "attributes.status = 'FINISHED'",
           "attr.status = 'FINISHED'",
           "run.status = 'FINISHED'",
           "status = 'FINISHED'",
           "attribute.`Run name` = 'x'",
           "`run name` LIKE 'x%'",
           "\"run_id\" = 'x'",
           "run_id IN ('a', 'b',)",
           "run_id not  in ('a')",
           "Created > 1",
           "created <= 5",
           "start_time > 1.5",
           "datasets.name IN ('a')",
           "dataset.digest = 'x'",
           "dataset.context NOT IN ('a','b')",
           "params.a='x'AND params.b='y' and metrics.c>1",
           "params.a='x'\n AND\tparams.b='y' AND",
           "AND params.a='x'",
           "params.a='x' AND AND params.b='y'",
           "params.a='x' params.b='y'",
       })
    CHECK_MESSAGE(accepts(text), text, ": ", message(text));
  for (const char* text : {"name LIKE 'a%'", "attribute.name = 'x'", "tags.k != 'v'",
                           "creation_time > 5", "last_update_time<=7 AND name ILIKE 'X'"})
    CHECK_MESSAGE(accepts(text, experiment_grammar()), text);
  for (const char* text : {"name = 'm'", "tags.`mlflow.prompt.is_prompt` != 'true'",
                           "name LIKE '%a' AND tag.x = 'y'", "name IN ('a')"})
    CHECK_MESSAGE(accepts(text, registered_model_grammar()), text);
  for (const char* text : {"name='m'", "run_id IN ('a','b')", "source_path LIKE '%x'",
                           "version_number >= 2", "tags.a = 'b'"})
    CHECK_MESSAGE(accepts(text, model_version_grammar()), text);
  for (const char* text : {"name = 'model'", "metrics.acc > 0.5", "params.lr = 0.01",
                           "creation_time > 1", "creation_timestamp_ms < 2",
                           "attributes.source_run_id IN ('a')", "model_type NOT IN ('x','y')"})
    CHECK_MESSAGE(accepts(text, logged_model_grammar()), text, ": ",
                  message(text, logged_model_grammar()));
  for (const char* text :
       {"timestamp > 1", "trace.status = 'OK'", "metadata.`mlflow.sourceRun` = 'r'",
        "request_metadata.a LIKE 'x'", "span.name = 'f'", "span.attributes.model RLIKE '^gpt'",
        "feedback.good = 'true'", "feedback.score > 0.5", "expectation.answer IS NOT NULL",
        "name IN ('a')", "tags.a IS NULL", "execution_time_ms >= 10", "span.content LIKE '%x%'",
        "text LIKE '%a%'"})
    CHECK_MESSAGE(accepts(text, trace_grammar()), text, ": ", message(text, trace_grammar()));
}

TEST_CASE("filter: what MLflow refuses as nonsense is refused, with the place and a way out") {
  struct Case {
    const char* text;
    const char* part;
  };
  for (const Case& it : {
           Case{"   ", "position"},
           Case{"m.acc >= 0.94", "Invalid entity type 'm'"},
           Case{"metrcs.acc > 1", "did you mean `metrics`"},
           Case{"Params.a='1'", "did you mean `params`"},
           Case{"statu = 'x'", "did you mean `status`"},
           Case{"acc >= 0.94", "Invalid attribute key 'acc'"},
           Case{"attribute.start != 1", "Invalid attribute key 'start'"},
           Case{"attribute.start_time != 'asdf'", "Expected numeric value type"},
           Case{"metrics.a = '5'", "Expected numeric value type for metric"},
           Case{"metrics.a > nan", "Expected numeric value type for metric"},
           Case{"metrics.a > inf", "Expected numeric"},
           Case{"metrics.a > 0x10", "Expected numeric"},
           Case{"metrics.a > 1AND metrics.b < 2", "Expected numeric"},
           Case{"metrics.a LIKE '5'", "Invalid comparator 'LIKE'"},
           Case{"params.a > '5'", "Invalid comparator '>'"},
           Case{"params.a == 'x'", "write ="},
           Case{"params.a <> 'x'", "write !="},
           Case{"params.a >> 'x'", "Invalid comparator '>>'"},
           Case{"params.a = 5", "quoted string value"},
           Case{"params.a = x", "quoted string value"},
           Case{"params.a = `x`", "quoted string value"},
           Case{"params.a = 'x", "closing '"},
           Case{"params.a", "a comparison operator at position 9, found the end"},
           Case{"params.a =", "found the end"},
           Case{"5 = params.a", "position 1"},
           Case{"'name' = 'x'", "identifier"},
           Case{"params.a = 'x';", "expected AND, OR or the end at position 15, found ';'"},
           Case{"params.a = 'x', params.b = 'y'", "found ','"},
           Case{"metrics.A > 0.1 NAND params.B = 'LR'", "found 'NAND'"},
           Case{"run_id IN ()", "non-empty list"},
           Case{"run_id IN ('a' 'b')", "',' or ')'"},
           Case{"run_id IN ('a', 5)", "quoted string value"},
           Case{"run_id IN 'a'", "a list such as"},
           Case{"(params.a = 'x'", "')'"},
           Case{"params.a = 'x')", "expected AND, OR or the end"},
           Case{"params.a = 'x' OR", "a comparison"},
           Case{"NOT", "identifier"},
           Case{"params.a IS 5", "NULL"},
           Case{"dataset.profile = 'x'", "Invalid dataset key 'profile'"},
           Case{"params.a RLIKE '('", "Invalid regular expression"},
           Case{"status='a' -- c", "found '--'"},
       }) {
    const auto filter = parse_filter(it.text, run_grammar());
    REQUIRE_MESSAGE(!filter, it.text);
    CHECK(filter.error().code == Code::kInvalidArgument);
    CHECK_MESSAGE(filter.error().text().find(it.part) != std::string::npos, it.text, ": ",
                  filter.error().text());
  }
  CHECK(!accepts("metrics.a > 1", experiment_grammar()));
  CHECK(!accepts("run.name = 'x'", experiment_grammar()));
}

TEST_CASE("filter: literals keep what stands in their quotes") {
  CHECK(text_of("params.a = 'it''s'") == "it''s");
  CHECK(text_of("params.a = 'C:\\'") == "C:\\");
  CHECK(text_of("params.a = 'a\\'b'") == "a\\'b");
  CHECK(text_of("params.a = \"it's\"") == "it's");
  CHECK(text_of("params.a = ' x '") == " x ");
  CHECK(number_of("metrics.a = -.5") == -0.5);
  CHECK(number_of("metrics.a = 5.") == 5);
  CHECK(number_of("metrics.a = 1e999") == std::numeric_limits<double>::infinity());
  CHECK(number_of("metrics.a = 9007199254740993") == 9007199254740992.0);
  CHECK(leaf("tags.mlflow.user = 'a'").key == "mlflow.user");
  CHECK(leaf("tags.mlflow.`x y` = 'a'").key == "mlflow.`x y`");
  CHECK(leaf("metrics.val-loss < 1").key == "val-loss");
  CHECK(leaf("metrics.a<-1").key == "a");
  CHECK(leaf("Created = 1").key == "start_time");
  CHECK(leaf("  params.a = 'x'").position == 2);
  CHECK(leaf("name = 'f'", trace_grammar()).entity == Entity::kTag);
  CHECK(leaf("name = 'f'", trace_grammar()).key == "mlflow.traceName");
  CHECK(std::get<std::string>(leaf("params.lr = 0.01", logged_model_grammar()).value) == "0.01");
}

TEST_CASE("filter: evaluation") {
  CHECK(holds(""));
  CHECK(holds("metrics.loss = .5 AND params.a = 'x y'"));
  CHECK(!holds("metrics.loss > .5"));
  CHECK(holds("metrics.loss <= 5e-1 AND status != 'FAILED' AND start_time >= 1000"));
  CHECK(!holds("metrics.gone != 1"));
  CHECK(!holds("params.gone != 'x'"));
  CHECK(!holds("params.gone NOT IN ('x')"));
  CHECK(holds("params.gone IS NULL AND params.a IS NOT NULL"));
  CHECK(holds("NOT params.gone = 'x'"));
  CHECK(!holds("metrics.nan > 0"));
  CHECK(!holds("metrics.nan <= 0"));
  CHECK(holds("metrics.nan != 0"));
  CHECK(holds("tags.env ILIKE 'prod' AND NOT tags.env LIKE 'prod'"));
  CHECK(holds("tags.env IN ('x', 'Prod') AND metrics.loss IN (1, 0.5)"));
  CHECK(holds("tags.env RLIKE '^P.o' AND tags.env RLIKE '(?i)PROD$'"));
  // AND binds tighter than OR; NOT tighter than AND.
  CHECK(holds("metrics.loss = 1 AND tags.env = 'x' OR status = 'FINISHED'"));
  CHECK(!holds("metrics.loss = 1 AND (tags.env = 'x' OR status = 'FINISHED')"));
  CHECK(holds("NOT metrics.loss = 1 AND status = 'FINISHED'"));
  CHECK(!holds("NOT (metrics.loss = 0.5 AND status = 'FINISHED')"));
}

TEST_CASE("filter: a model without the prompt tag counts as no prompt") {
  const auto missing = [](const char* text, const Grammar& grammar) {
    return matches_values(*parse_filter(text, grammar),
                          [](Entity, const std::string&) { return Cell{}; });
  };
  for (const Grammar* grammar : {&registered_model_grammar(), &model_version_grammar()}) {
    CHECK(missing("tags.`mlflow.prompt.is_prompt` != 'true'", *grammar));
    CHECK(missing("tags.`mlflow.prompt.is_prompt` = 'false'", *grammar));
    CHECK(!missing("tags.`mlflow.prompt.is_prompt` = 'true'", *grammar));
    CHECK(!missing("tags.`mlflow.prompt.is_prompt` != 'false'", *grammar));
    CHECK(!missing("tags.other != 'true'", *grammar));
  }
  CHECK(!missing("tags.`mlflow.prompt.is_prompt` != 'true'", run_grammar()));
}

TEST_CASE("filter: limits") {
  std::string deep;
  for (std::size_t i = 0; i + 1 < kMaxFilterDepth; ++i) deep += "(";
  std::string closed = deep + "params.a = 'x'" + std::string(kMaxFilterDepth - 1, ')');
  CHECK(parse_filter(closed, run_grammar()));
  closed = "((" + deep + "params.a = 'x'" + std::string(kMaxFilterDepth + 1, ')');
  CHECK(!parse_filter(closed, run_grammar()));
  CHECK(!parse_filter(std::string(500'000, '('), run_grammar()));
  std::string many = "params.a = 'x'";
  for (std::size_t i = 1; i < kMaxFilterComparisons; ++i) many += " AND params.a = 'x'";
  CHECK(parse_filter(many, run_grammar()));
  CHECK(!parse_filter(many + " AND params.a = 'x'", run_grammar()));
  const std::string head = "params.a = '";
  const std::string long_text(kMaxFilterBytes - head.size() - 1, 'x');
  CHECK(parse_filter(head + long_text + "'", run_grammar()));
  CHECK(!parse_filter(head + long_text + "x'", run_grammar()));
}

TEST_CASE("order: keys, directions, and what is refused") {
  const auto terms = parse_order({"metrics.`a b` DESC", "attributes.start_time", "params.x asc",
                                  "tags.\"k\"", "`Run name`  desc"},
                                 run_grammar());
  REQUIRE(terms);
  REQUIRE(terms->size() == 5);
  CHECK(terms->at(0).key == "a b");
  CHECK(terms->at(0).descending);
  CHECK(terms->at(1).entity == Entity::kAttribute);
  CHECK(!terms->at(1).descending);
  CHECK(terms->at(4).key == "run_name");
  CHECK(terms->at(4).descending);
  CHECK(parse_order({"timestamp DESC"}, registered_model_grammar())->at(0).key ==
        "last_updated_timestamp");
  CHECK(parse_order({"timestamp_ms", "name"}, trace_grammar())->at(1).key == "mlflow.traceName");
  for (const char* bad : {"", "metrics.a, metrics.b", "metrics.a DESC, metrics.b", "metrics.a up",
                          "acc", "m.x", "metrics.a DESC DESC", "datasets.name", ","})
    CHECK_MESSAGE(!parse_order({bad}, run_grammar()), bad);
  CHECK(!parse_order({"metrics.a", "metrics.`a` DESC"}, run_grammar()));
  CHECK(!parse_order({"start_time", "Created"}, run_grammar()));
  CHECK(parse_order(std::vector<std::string>{}, run_grammar())->empty());
}

TEST_CASE("like: wildcards, code points, case") {
  CHECK(like("abc", "abc"));
  CHECK(like("abc", "a%"));
  CHECK(like("abc", "%c"));
  CHECK(like("abc", "%b%"));
  CHECK(like("", "%"));
  CHECK(like("", ""));
  CHECK(!like("", "_"));
  CHECK(!like("abc", "b"));
  CHECK(like("마루", "_루"));
  CHECK(!like("마루", "_"));
  CHECK(like("a\nb", "a%b"));
  CHECK(like("a.c", "a.c"));
  CHECK(!like("abc", "a.c"));
  CHECK(!like("ABC", "abc"));
  CHECK(like("ABC", "aB%", true));
  CHECK(like("ÄÖΩЯ", "äöωя", true));
  CHECK(like("aXbXc", "%X%X%"));
  CHECK(!like("aXb", "%X%X%"));
  CHECK(!like(std::string(5000, 'a'), "%a%a%a%a%a%b"));  // ends soon
}

TEST_CASE("pattern: finds what a regular expression means, in bounded time") {
  const auto found = [](std::string_view pattern, std::string_view text) {
    const auto compiled = Pattern::compile(pattern);
    REQUIRE_MESSAGE(compiled, pattern);
    return (*compiled)->found_in(text);
  };
  CHECK(found("", ""));
  CHECK(found("b", "abc"));
  CHECK(found("^abc$", "abc"));
  CHECK(found("^abc$", "abc\n"));
  CHECK(!found("^b", "abc"));
  CHECK(found("a|x", "zx"));
  CHECK(found("^(ab|cd)+$", "abcdab"));
  CHECK(!found("^(?:ab|cd)+$", "abc"));
  CHECK(found("colou?r", "color"));
  CHECK(found("^a{2,3}$", "aaa"));
  CHECK(!found("^a{2,3}$", "aaaa"));
  CHECK(found("^a{2}$", "aa"));
  CHECK(found("^a{2,}$", "aaaaa"));
  CHECK(found("^xa{0}y$", "xy"));
  CHECK(found("a{b", "a{b"));
  CHECK(found("[a-c]+\\d", "zzb7"));
  CHECK(!found("^[^a-c]$", "b"));
  CHECK(found("^[]x]$", "]"));
  CHECK(found("^[\\w.-]+@[a-z]+\\.com$", "a.b-c@maru.com"));
  CHECK(found("\\bcat\\b", "a cat!"));
  CHECK(!found("\\bcat\\b", "concat"));
  CHECK(found("^.$", "마"));
  CHECK(found("[가-힣]", "x마"));
  CHECK(found("(?i)MARU", "maru"));
  CHECK(found("\\.", "a.b"));
  CHECK(found("a.*?b", "a--b"));
  CHECK(!found("(a*)*b", std::string(5000, 'a')));
  CHECK(!found("(a|aa)+$x", std::string(5000, 'a')));
  for (const char* bad : {"(", ")", "[", "[b-a]", "*", "a\\", "(?=a)", "\\1", "a{3,2}", "a{1000}",
                          "((a{100}){100}){100}", "(?i", "[\\D]"})
    CHECK_MESSAGE(!Pattern::compile(bad), bad);
  CHECK(!Pattern::compile(std::string(60, '(')));
}
