#pragma once
namespace maru::stats {

// Survival functions, each with relative error below 1e-9 where the value is above 1e-300.
double chi_square_p(double statistic, double degrees);
double kolmogorov_p(double d, double n, double m);  // asymptotic two-sample
// P(D_n >= x) of the one-sample statistic of n rows (kolmogorov.cpp); above 200,000 rows by the limit law.
double kolmogorov_finite_p(double n, double x);
double student_p(double t, double degrees);  // two-sided
double f_p(double f, double d1, double d2);
double normal_p(double z);  // two-sided

}  // namespace maru::stats
