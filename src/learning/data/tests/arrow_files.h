#pragma once
#include <zlib.h>

#include <string>

#include "maru/base/check.h"
#include "maru/base/text.h"

// Arrow files of other writers, zlib in base64: kAll, kWords and kLz4 by pyarrow 17+, kViews by polars.
namespace maru::data::test {

struct Packed {
  std::size_t bytes;
  const char* base64;
};

inline std::string unpacked(const Packed& file) {
  const auto packed = base::from_base64(file.base64);
  MARU_CHECK(packed.has_value());
  std::string out(file.bytes, '\0');
  uLongf size = file.bytes;
  MARU_CHECK(uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                     reinterpret_cast<const Bytef*>(packed->data()), packed->size()) == Z_OK);
  return out;
}

// clang-format off
constexpr Packed kAll{4002,
    "eNrtVz2IE1EQnre72axhOVKEI8IhV1jYeSdypBBMDguLQ+UsbCwuZ34uEHPq5SRWXmFhc3CClShaXmGRSlJYWFgINh"
    "aHXKEQbGxSBKsU3q3z3puXbCYbGwVBdsLsvMl8M2925r2BLayuXr2xCBAgDSyANEhKgQ8uJMDDFZJwUAfUPHw69ASY"
    "Qd5DnxXkLHJPALxF3kMuIeeQfeT3iHuKfBN5gXw7R0GAgYXcL0v/AcnGZqMs1/XjIOhqXFLiMiGcjbxeq8IMYk7J3I"
    "5HuDmGK5VvYc6+ytxTbweA6cIF7XOCx8aUoYl8EEi7BXlcb2hsiseXcRpboOK7FF/u6tA+ha1a8ez18uZ2HeB1KEaG"
    "xbiNMVJqPwEHGudFvXOp+ADOKRzAT41zo2pYqRerct1G7GkdN8NxCVnj4r2qLPYhYlY0LsHfUcpmudXUa0fpLY21o3"
    "KsLJ2Hz1S7VyEc70tlcQmfsmou/nTlP2m8FYXfxrga7yi87Esad5f+SXVC03R+J/1ljWs53ScP0R61muTw/GdI92GW"
    "boCvIoPtqNrtCwJgd7N0pmSfvwh9d2wY0Vxobdy80PsAmPs2IqNnSZ5h/gvD/DTlmf0y819j9g22T4ukS3KH4R+TnC"
    "e5z/Bthu8w/R3TP7D8D5m9y/IfMLtZGHtWjNvnmT3H7HkxXsc7zN5idqA5Z7M8bNa3afa/rVt/aOe6HZoF2n40hrOm"
    "4LCzF8NHZrweg4da9gOY8NNnx3Dv0fPes85kPQU7Z0YW1/svn+yG8+X5j+5zWN+ZXfuxK2CC7BBekpiSR/dk/ytEkN"
    "n3mwO/pe/BOBm/j5eW796/8mb5hRXtx/OJ51Q8p+I5NX1OmeMRz6l/P6fM/fVxWrlqQqXpPjlwjWaCQ73zWKPN/Gon"
    "o/+H4ZyKv0nib5L/75skh8EL6tv8F3IpcZo="};
constexpr Packed kWords{1864,
    "eNrNVL1OwzAQ/uy4aSgZQhtQigoqEkhsMDKWd2BgTGFHbDCw8DDsLOyMjH0EXgSFs3NxHadpS6VKXHW53s8X+y6fXR"
    "RFMQOQQEsPMUJ0ENE/EqGgyLxQjbaS9IY0NfUpVYXoEkJ7JV7IhPMKpQjSB9J3eod2J6Y6s1j9HsZ2NE7nRx7+iTSi"
    "n47qZ2z8mLRrfF1WZpXF0XLFJ+8FBpNxZ7HBQyqKAFeYi7tGYjDHZJXF5KSnpBnPYi6h2UvIewnQLkdsx2wHTk403l"
    "v2quX84+JnHE8bhdLNyz1gemf7ny3rP1Bmzre1ter9Pjr9Bkv6VU6mzzZjW61/6fVV+WdOTDrrCLb+LIXbr9ixBYEb"
    "D4a2MnPj2Zv5iMJOTSL/FrngeX3V5nXY4MvI40t5XmBm0ePtreKN2JA3Q483fW8mwquP3L6j6/rwFs3xHn/izWRN3s"
    "g1eePLwOMRPP/E441/btp8e044kLjx5BXVh8RuHb/t++Tf8uJ5O7wINuRFuoIXbfcJWu6T5r2BlnsjxT4OFt4bOvIL"
    "ri9lCA=="};
constexpr Packed kViews{1820,
    "eNrtVb9LG3EUf3de9LShxFQwOn0HwQwd/LEIcUiQoqWCIQi6aVKORhADyflrC8Wp7Wihg9kcHB063NDB0T/DySE5F5"
    "FWUEg/73vfJJejmrZx9MG79+P7ft+976UymaWVSSKDiK7r9foQMa/hOUAvyMTToBno+bwHeAGcJc8+Bn0cNAI0gZpO"
    "Em6gT7Is9f2wNSW/AbzE2SHoF2AeuM5x2DYWpVFYxmgE1mHEHJI+hoonQMMyXljG43wTiYnE9vRUglQNa+nFtbnU8p"
    "v5pczbudTiFCm4hb/na8qIP1U8ol5oDDqHzLneA13wr0FFsy6OHYVVhAalf1h63suZeJMqASHWTc2rl2Mk1Sy8efbA"
    "65WMw9XzDEKqtmNgXNkRvUROQ3ZPqn+NWtDn4xv6pKJpRc8Ufdc419rty1qrLmkfOCdVd9yXi997KJC3k3xH3QHHK+"
    "ULRVvJ48CssK2H7MeAV1+Pqg1brmOvi/yca88Wdj5ri42S2CxsfbCKLG4Je9fa3LFEbt+2SpzSKbuVsnAPHFE7PXQr"
    "368+ObXKD/fgSFQdp/b5+L/yD1P3oD3A/w38eqLcuu8bCr7fx4D36YR8+0T+fdLb9im437xfjbzLHfbLD/oj9YhAb/"
    "of+s0G5Nw/zIv7JV+/q6AzzX751omiakPefxx7QRUfUTSpt+f+Znj8aeCeeL7LO93lH0FS8q/4GxCBzt0="};
constexpr Packed kLz4{4186,
    "eNrV2AlUVFUcx/H7mFWaZBRIVHImXNNURkAgTUXN0iQIF0zLUMA9MEXBHTVNE3AB1zKXNAn3Nc09MxXXXFJzydJcsl"
    "RMy1zC7x0eCIhz8Hg6x945n/9beO++OXP/73feEBQWFhJuEyKbJV0IYRZycRYmoRc6YWSLRdGyL9gzUrVqFcIJTdXt"
    "w1zPiTp5vad6TKjruOiEuJxtrX3fLNwYQy8M9lHN6j0Vp8LXKoix39cEg/2+8nAjkfN5j7F2U881CQ/1E5vsowqN1j"
    "6WOXcw+zme3Eubd06Cej85RtSD0/I+p048elmk5KyXKQWP5+4vVNcRmpx1Rr5znArdTxSxb1Wv03oFe0Q0GjGZ4Vz5"
    "QlwVo3B1ggZa6KCHAUaUgDOegQnPoiRcYEYplIYr3OCO51AGHiiLcigPTzyPCrDAihfghYqohMqogqqohhdRHTXwEm"
    "qiFmrDGzbUgQ984Ye68EcAAvEy6qE+XkEDNEQjBKExmqApXkUzvIbX0Rwt8AZaIhhvIgSheAthaIXWaIO2CEc7vI32"
    "6IB38C464j1EoBM6G0ViZKH5SlMKzBe7iUJtrWqoj1B1mmXbJWE2VmEnTuE6DAzjCRuaoQNiMRJTlZy22oxDuIA7cK"
    "GfKiIAweiMeCRhDtYgE6dxHXpaqxxqoTHaogeGIhXp2IiDuIC7KMXzUBmBCEYn9MNYzMRybMdxXIGGZ8cDNdEY4eiF"
    "RKQhHRtwAOdwCyY9bQ9fNEdH9MUYzMQK7MAJXIXGIEQZ1EBDtEJXDMJ4zMM67MNZ3DLknzBjgflKZTNLFx/bJ8rqbY"
    "3tYu1k7RsdExcdExntJiw2ZtFSRxYfWXxl8ZOlriz+sgTIEiiLbZdwcskUisW2W5Y9suyVZZ8s+4XiMokT1jNtE9ge"
    "jxQkIwkdlGz74hQaZbX5WR983OLm3TXNf5N3Sx4z75KfLO9kr3tFEXilow2ioujCU9cV3dAdPdATvfA+YhCL3vgAfd"
    "AXceiH/ohHAgZgIAZhMIZgKIYhEcMxAiPxIUZhND7CGIzFxxiHJCQjBeMxARMxCalIw2RMwVRMw3TMwCf4FDPxGWZh"
    "NuZgLj7HPMzHF1iAdHyJDCzEIizGEizFMizHCqzEKqzGGnyFtViHr7EeG7ARm7AZW7AV32AbvsV2fEfi7ShO3rmjOh"
    "ogDF0wECmYizXIxGkHedcbozAdi7EVR3AJ91CKfqqMQAd5txtncANGWssT3miKduiFRKQ5yLsqqIcQRCIe4zALK7ED"
    "J3DVQd4NxxRkYBMO4jxuoyQZ5oW6aOEg704iCzryqyxqIght0B1DMBHzHyPv+svvX2/PO2KmQOC5k2tMo8XbnmYPR1"
    "9uVln86xcn+PIiLUVGmo/1KcmzpY+ZZ+OeLM+myTzbKfNsl8yzTJ6p3diDvdiH/TiA73EQh3AYR/ADjuIYjuNHnMBJ"
    "nMJp/IQz+Bm/4CzO4VecxwVcxCX8hsv4HX/gCq7iGrJwHX/iBm7iL/yNW/gHt3EHd3EP/yLbKLyEUuJ/84qaWEMpfp"
    "41RGt0w2BMwDysxR6cwQ35lDnIsxlKTtttw1FcRrZ8r6efqqIeQhDpIM9uwpnWqoA6aIb2iMEITEEGNjnIs1BEYwCS"
    "MQersQunkAUdz05ZB3m2EFtwGBdxF2YyqhIC0BIRiHOQZ3ryqTxqownC0RPDkIoFWI/9ReVZ7o46X3H58sznoTzzdS"
    "eM/GQpItkKv4NZ/KMenWt5aTY61D54gfczof5+NpFIentKmXOyjDSKUhtI5pJGbRyhNo7I9zs1XVfweG7+JTgXfVw8"
    "Zb/L5R+D7P9TuA91Y/Tx"};
// clang-format on

}  // namespace maru::data::test
