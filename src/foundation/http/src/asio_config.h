#pragma once
// Include before anything of Asio: its functions are compiled once, in asio_impl.cpp.
#define BOOST_ASIO_SEPARATE_COMPILATION
