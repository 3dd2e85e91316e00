#include "protocol/scram.hpp"

#include <doctest/doctest.h>

using namespace reqld::protocol;

TEST_CASE("primitives answer the published vectors") {
  const auto hex = [](std::string_view bytes) {
    std::string text;
    for (const unsigned char c : bytes) {
      text += "0123456789abcdef"[c >> 4];
      text += "0123456789abcdef"[c & 15];
    }
    return text;
  };
  CHECK(hex(as_text(sha256("abc"))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231, cases 1, 2 and 6 (a key longer than a block)
  CHECK(hex(as_text(hmac_sha256(std::string(20, '\x0b'), "Hi There"))) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex(as_text(hmac_sha256("Jefe", "what do ya want for nothing?"))) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex(as_text(hmac_sha256(std::string(131, '\xaa'),
                                "Test Using Larger Than Block-Size Key - Hash Key First"))) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(hex(as_text(pbkdf2_sha256("password", "salt", 4096))) ==
        "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a");
}

TEST_CASE("base64 is strict") {
  CHECK(base64_encode("") == "");
  CHECK(base64_encode("a") == "YQ==");
  CHECK(base64_encode("abc") == "YWJj");
  CHECK(base64_decode("") == "");
  CHECK(base64_decode("YQ==") == "a");
  CHECK(base64_decode("YWI=") == "ab");
  CHECK(base64_decode("YWJj") == "abc");
  for (const char* wrong : {"Y", "YQ", "YQ=", "YQ==YQ==", " YQ==", "YQ== ", "not base64!", "Y=Q=", "===="}) {
    CHECK_FALSE(base64_decode(wrong).has_value());
  }
}

TEST_CASE("RFC 7677: the example exchange") {
  ScramServer scram("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
  REQUIRE_FALSE(scram.read_first("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
  CHECK(scram.user() == "user");
  const auto salt = base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==");
  const Digest salted = pbkdf2_sha256("pencil", *salt, 4096);
  CHECK(scram.challenge({true, *salt, 4096, std::string(as_text(salted))}) ==
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  REQUIRE_FALSE(
      scram.check_final("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+"
                        "Ute9ytag9zjfMHgsqmmiz7AndVQ="));
  CHECK(scram.server_final() == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST_CASE("first messages that are refused") {
  const auto code = [](std::string_view message) {
    ScramServer scram;
    const auto error = scram.read_first(message);
    return error ? error->code : 0;
  };
  CHECK(code("n,,n=admin,r=abc") == 0);
  CHECK(code("n,a=admin,n=admin,r=abc") == 0);
  CHECK(code("n,,n=admin,r=abc,x=extension") == 0);
  CHECK(code("y,,n=admin,r=abc") == 15);
  CHECK(code("p=tls-unique,,n=admin,r=abc") == 15);
  CHECK(code("n=admin,r=abc") == 15);
  CHECK(code("") == 15);
  CHECK(code("n") == 10);
  CHECK(code("n,,") == 10);
  CHECK(code("n,,r=abc") == 10);
  CHECK(code("n,,n=admin") == 10);
  CHECK(code("n,,n=admin,r=") == 10);
  CHECK(code("n,,r=x,n=admin,r=abc") == 10);
  CHECK(code("n,,n=ad=zzmin,r=abc") == 18);
  CHECK(code("n,,n=ad=,r=abc") == 18);
  CHECK(code("n,,n=,r=abc") == 18);
  CHECK(code("n,,m=x,n=admin,r=abc") == 11);
  CHECK(code("n,,n=admin,m=x,r=abc") == 11);
  ScramServer scram;
  CHECK_FALSE(scram.read_first("n,,n=a=2Cb=3D=2C,r=abc"));
  CHECK(scram.user() == "a,b=,");
}

TEST_CASE("an unknown user looks like a known one until the end") {
  std::string salts[2];
  for (auto& salt : salts) {
    ScramServer scram("nonce");
    REQUIRE_FALSE(scram.read_first("n,,n=nobody,r=abc"));
    const std::string challenge = scram.challenge({});
    CHECK(challenge.starts_with("r=abcnonce,s="));
    CHECK(challenge.ends_with(",i=4096"));
    salt = challenge;
    const auto error = scram.check_final("c=biws,r=abcnonce,p=AAAA");
    REQUIRE(error);
    CHECK(error->code == 17);
  }
  CHECK(salts[0] == salts[1]);
}
