#pragma once
#include <string>
#include <string_view>

namespace maru::stats {

// Recognisers of one whole value. Letters are compared as ASCII, spaces at the ends are the caller's to cut.
enum class Match { kNo, kShape, kChecked };  // kChecked: the check digit is right, too

Match is_email_address(std::string_view text);
// Korean numbers in any writing, +country numbers, North American ones; bare digits only where Korea's mobile numbers begin.
Match is_phone_number(std::string_view text);
// YYMMDD-GNNNNNN with a date that exists. Numbers given out since October 2020 have no check digit.
Match is_resident_number(std::string_view text);
Match is_card_number(std::string_view text);  // 13 to 19 digits of a known issuer; Luhn
Match is_iban(std::string_view text);         // lengths by country; ISO 7064 mod 97
Match is_ip_address(std::string_view text);   // IPv4 in dots, IPv6
Match is_mac_address(std::string_view text);
Match is_passport_number(
    std::string_view text);  // Korea's, and one or two letters with 6 to 8 digits
Match is_driver_licence(std::string_view text);  // Korea's: NN-NN-NNNNNN-NN
Match is_us_ssn(std::string_view text);
Match is_person_name(std::string_view text);  // by dictionaries of Korean and English names
Match is_postal_address(std::string_view text);
Match is_date_of_life(
    std::string_view text);  // a date from 1900 on: a birth date where the name says so

// Whether a text has an e-mail address, a phone number, a resident number or a card number (check digit right) somewhere within it.
struct Inside {
  bool email = false, phone = false, resident = false, card = false;
  bool card_like =
      false;  // as many digits as a card has, right or wrong: one in ten of any numbers passes the check
};
Inside found_inside(std::string_view text);
// The text with those masked (see masked()), all else as it was.
std::string hide_inside(std::string_view text);

}  // namespace maru::stats
