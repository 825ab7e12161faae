#include "maru/base/seal.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "maru/base/check.h"
#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/rng.h"
#include "maru/base/text.h"

namespace maru::base {
namespace {

constexpr std::size_t kNonceBytes = 12, kTagBytes = 16;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

tl::unexpected<Error> unreadable() {
  return fail(Code::kDataLoss, "a sealed secret cannot be read: it was sealed with another key",
              "put the home's own secrets/key back, or set the secret anew");
}

}  // namespace

Result<SealKey> SealKey::open(const std::string& path) {
  SealKey out;
  if (!path_exists(path)) {
    secure_random(out.key_);
    TRY(write_file_atomic(path, {reinterpret_cast<const char*>(out.key_.data()), out.key_.size()}));
    return out;
  }
  TRY_ASSIGN(const std::string bytes, read_file(path, 4096));
  if (bytes.size() != kKeyBytes)
    return fail(Code::kDataLoss,
                "the file is no key of " + std::to_string(kKeyBytes) + " bytes: " + path);
  std::copy(bytes.begin(), bytes.end(), out.key_.begin());
  return out;
}

std::string SealKey::seal(std::string_view text, std::string_view owner) const {
  std::array<std::uint8_t, kNonceBytes> nonce;
  secure_random(nonce);
  return seal_under({reinterpret_cast<const char*>(nonce.data()), nonce.size()}, text, owner);
}

std::string SealKey::seal_same(std::string_view text, std::string_view owner) const {
  return seal_under(keyed("nonce", text, owner).substr(0, kNonceBytes), text, owner);
}

std::string SealKey::fingerprint(std::string_view text, std::string_view owner) const {
  return hex(keyed("fingerprint", text, owner));
}

// 32 bytes. The lengths keep ("ab", "c") and ("a", "bc") apart.
std::string SealKey::keyed(std::string_view purpose, std::string_view text,
                           std::string_view owner) const {
  const std::string_view key(reinterpret_cast<const char*>(key_.data()), key_.size());
  const std::string own = hmac_sha256(key, purpose);
  return hmac_sha256(own,
                     std::to_string(owner.size()) + ":" + std::string(owner) + std::string(text));
}

std::string SealKey::seal_under(std::string_view nonce, std::string_view text,
                                std::string_view owner) const {
  std::string body(text.size(), '\0'), tag(kTagBytes, '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int length = 0;
  const bool done = cipher != nullptr &&
                    EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(),
                                       bytes_of(nonce)) == 1 &&
                    EVP_EncryptUpdate(cipher.get(), nullptr, &length, bytes_of(owner),
                                      static_cast<int>(owner.size())) == 1 &&
                    EVP_EncryptUpdate(cipher.get(), bytes_of(body), &length, bytes_of(text),
                                      static_cast<int>(text.size())) == 1 &&
                    EVP_EncryptFinal_ex(cipher.get(), bytes_of(body) + length, &length) == 1 &&
                    EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG,
                                        static_cast<int>(kTagBytes), tag.data()) == 1;
  MARU_CHECK(done);
  return base64(std::string(nonce) + tag + body);
}

Result<std::string> SealKey::unseal(std::string_view sealed, std::string_view owner) const {
  const auto bytes = from_base64(sealed);
  if (!bytes || bytes->size() < kNonceBytes + kTagBytes) return unreadable();
  const std::string nonce = bytes->substr(0, kNonceBytes);
  std::string tag = bytes->substr(kNonceBytes, kTagBytes);
  const std::string body = bytes->substr(kNonceBytes + kTagBytes);
  std::string out(body.size(), '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int length = 0;
  const bool done = cipher != nullptr &&
                    EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(),
                                       bytes_of(nonce)) == 1 &&
                    EVP_DecryptUpdate(cipher.get(), nullptr, &length, bytes_of(owner),
                                      static_cast<int>(owner.size())) == 1 &&
                    EVP_DecryptUpdate(cipher.get(), bytes_of(out), &length, bytes_of(body),
                                      static_cast<int>(body.size())) == 1 &&
                    EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG,
                                        static_cast<int>(kTagBytes), tag.data()) == 1 &&
                    EVP_DecryptFinal_ex(cipher.get(), bytes_of(out) + length, &length) == 1;
  if (!done) return unreadable();
  return out;
}

}  // namespace maru::base
