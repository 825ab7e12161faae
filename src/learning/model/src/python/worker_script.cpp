#include "python/worker_script.h"

namespace maru::model {

const char* const kWorkerScript = R"PYTHON(
import datetime, json, os, socket, struct, sys

TYPES = {"BOOL": "?", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "u1", "UINT16": "<u2",
         "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}
CHANNEL = socket.socket(fileno=3)
os.set_inheritable(3, False)


def read(count):
    out = bytearray(count)
    rest = memoryview(out)
    while rest:
        got = CHANNEL.recv_into(rest)
        if got == 0:
            os._exit(0)  # nobody asks any more
        rest = rest[got:]
    return out


def receive():
    head, body = struct.unpack("<IQ", read(12))
    return json.loads(bytes(read(head))), memoryview(read(body))


def send(head, parts=()):
    text = json.dumps(head).encode()
    CHANNEL.sendall(struct.pack("<IQ", len(text), sum(len(p) for p in parts)) + text)
    for part in parts:
        CHANNEL.sendall(part)


def refuse(error, kind):
    send({"error": (type(error).__name__ + ": " + str(error))[:4000], "kind": kind})


try:
    import numpy
    import pandas
    from mlflow import pyfunc
    import mlflow
    MODEL = pyfunc.load_model(sys.argv[1])
except BaseException as error:
    refuse(error, "load")
    os._exit(1)


def datatype_of(dtype):
    dtype = numpy.dtype(dtype)
    if dtype.kind == "b":
        return "BOOL"
    if dtype.kind in "iuf":
        name = {"i": "INT", "u": "UINT", "f": "FP"}[dtype.kind] + str(8 * dtype.itemsize)
        return name if name in TYPES else "FP64"
    return "BYTES"


COLUMN_TYPES = {"boolean": "BOOL", "integer": "INT32", "long": "INT64", "float": "FP32", "double": "FP64"}


def described(schema, unnamed):
    out = []
    for place, column in enumerate(schema.inputs):
        name = getattr(column, "name", None)
        if name is None:
            name = unnamed if len(schema.inputs) == 1 else f"{unnamed}_{place}"
        if schema.is_tensor_spec():
            out.append({"name": str(name), "datatype": datatype_of(column.type), "shape": [int(n) for n in column.shape]})
        else:
            kind = getattr(column.type, "name", "json")
            out.append({"name": str(name), "datatype": COLUMN_TYPES.get(kind, "BYTES"), "shape": [-1], "kind": kind})
    return out


def form_of(schema):
    if schema is None:
        return "matrix"
    if not schema.is_tensor_spec():
        return "columns"
    return "tensors" if schema.has_input_names() else "tensor"


INPUT_SCHEMA, OUTPUT_SCHEMA = MODEL.metadata.get_input_schema(), MODEL.metadata.get_output_schema()
FORM = form_of(INPUT_SCHEMA)
INPUTS = described(INPUT_SCHEMA, "input") if INPUT_SCHEMA is not None else [
    {"name": "input", "datatype": "FP64", "shape": [-1, -1]}]
OUTPUTS = described(OUTPUT_SCHEMA, "predictions") if OUTPUT_SCHEMA is not None else None
EXAMPLE = None  # a row of it
KINDS = {spec["name"]: spec.get("kind") for spec in INPUTS}


def texts_of(body, count):
    out, at = [], 0
    for _ in range(count):
        (length,) = struct.unpack_from("<I", body, at)
        out.append(bytes(body[at + 4:at + 4 + length]))
        at += 4 + length
    return out


def decode(spec, body):
    if spec["datatype"] != "BYTES":
        return numpy.frombuffer(body, dtype=TYPES[spec["datatype"]]).reshape(spec["shape"])
    texts = texts_of(body, int(numpy.prod(spec["shape"], dtype=numpy.int64)))
    kind = KINDS.get(spec["name"])
    if kind != "binary":
        texts = [t.decode() for t in texts]
    if kind == "json":
        texts = [json.loads(t) for t in texts]
    out = numpy.empty(len(texts), dtype=object)
    out[:] = texts
    return out.reshape(spec["shape"])


def column(name, values):
    values = values.reshape(len(values))
    if KINDS.get(name) == "datetime":
        return pandas.to_datetime(values)
    # MLflow 2 does not know the text type that pandas 3 would choose.
    return pandas.Series(values, dtype=object) if values.dtype.kind == "O" else values


def given(head, body):
    values, at = {}, 0
    for spec in head["inputs"]:
        values[spec["name"]] = decode(spec, body[at:at + spec["bytes"]])
        at += spec["bytes"]
    if FORM == "columns":
        frame = pandas.DataFrame({name: column(name, one) for name, one in values.items()})
        if not INPUT_SCHEMA.has_input_names():
            frame.columns = range(len(frame.columns))
        return frame
    return values if FORM == "tensors" else next(iter(values.values()))


def results(answer):
    """The answer as (name, array)"""
    if isinstance(answer, pandas.DataFrame):
        out = [(str(name), answer[name].to_numpy()) for name in answer.columns]
    elif isinstance(answer, dict):
        out = [(str(name), numpy.asarray(one)) for name, one in answer.items()]
    else:
        answer = answer.toarray() if hasattr(answer, "toarray") else answer
        out = [("predictions", numpy.asarray(answer))]
    if OUTPUTS is not None and len(OUTPUTS) == len(out) == 1:
        out = [(OUTPUTS[0]["name"], out[0][1])]
    return [(name, one.reshape(1) if one.ndim == 0 else one) for name, one in out]


def text_of(value):
    if isinstance(value, bytes):
        return value
    if isinstance(value, (datetime.date, numpy.datetime64)):
        return str(pandas.Timestamp(value).isoformat()).encode()
    if isinstance(value, (dict, list)):
        return json.dumps(value, default=str, ensure_ascii=False).encode()
    return b"" if value is None else str(value).encode()


def encode(name, array):
    if array.dtype.kind == "O" and all(v is None or isinstance(v, (int, float, numpy.number)) for v in array.reshape(-1)):
        array = array.astype("f8")  # numbers with a None among them
    kind = datatype_of(array.dtype)
    if kind != "BYTES":
        data = numpy.ascontiguousarray(array, dtype=TYPES[kind]).tobytes()
    else:
        texts = [text_of(value) for value in array.reshape(-1)]
        data = b"".join(struct.pack("<I", len(t)) + t for t in texts)
    return {"name": name, "datatype": kind, "shape": list(array.shape), "bytes": len(data)}, data


def plain(value):
    value = value.item() if hasattr(value, "item") else value
    if value is None or value != value:
        return None
    return value if isinstance(value, (bool, int, float, str)) else text_of(value).decode(errors="replace")


def example():
    """What the model answers to the example that was logged with it: warms it up, and tells its outputs."""
    global OUTPUTS, EXAMPLE
    try:
        asked = MODEL.input_example
        if isinstance(asked, pandas.DataFrame) and len(asked):
            EXAMPLE = {str(name): plain(value) for name, value in asked.iloc[0].items()}
        seen = None if asked is None else results(MODEL.predict(asked))
    except Exception:
        seen = None
    if OUTPUTS is None and seen:
        OUTPUTS = [{"name": name, "datatype": encode(name, one)[0]["datatype"], "shape": [-1] + [int(n) for n in one.shape[1:]]}
                   for name, one in seen]
    if OUTPUTS is None:
        OUTPUTS = [{"name": "predictions", "datatype": "FP64", "shape": [-1]}]


def predicted(asked, params):
    return MODEL.predict(asked) if params is None else MODEL.predict(asked, params=params)


def answer(head, body):
    try:
        packed = [encode(name, one) for name, one in results(predicted(given(head, body), head.get("params")))]
    except MemoryError as error:
        return refuse(error, "memory")
    except Exception as error:
        return refuse(error, "input")
    send({"outputs": [head for head, _ in packed]}, [data for _, data in packed])


example()
loader = MODEL.metadata.flavors.get("python_function", {}).get("loader_module", "")
send({"inputs": INPUTS, "outputs": OUTPUTS, "example": EXAMPLE, "flavor": loader, "python": sys.version.split()[0], "mlflow": mlflow.__version__})
while True:
    answer(*receive())
)PYTHON";

}  // namespace maru::model
