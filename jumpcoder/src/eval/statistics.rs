//! The arithmetic of pass rates: unbiased pass@k, intervals, and McNemar's exact test.

/// Of a standard normal distribution: 95 % lie within.
const Z: f64 = 1.959_963_984_540_054;
/// Enough that the ends of an interval move by less than a tenth of its width from seed to seed.
const NUM_RESAMPLES: usize = 10_000;

/// What an interval was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Wilson's score interval: every problem passes or doesn't.
    Wilson,
    /// Percentiles of means over problems that are drawn with replacement.
    Bootstrap,
}

/// A mean over problems, with an interval of 95 %.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How the ends were found.
    pub method: Method,
}

/// Of how many samples of a problem how many passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All samples; a problem without any counts as one that did not pass.
    pub num_samples: usize,
    /// Those that passed.
    pub num_passed: usize,
}

impl Count {
    /// The chance that one of `k` samples passes, drawn from these without replacement (Chen et
    /// al. 2021): unbiased, where `1 - (1 - c/n)^k` isn't.
    pub fn pass_at(self, k: usize) -> f64 {
        let Self { num_samples, num_passed } = self;
        if num_samples - num_passed < k {
            return if num_passed > 0 { 1.0 } else { 0.0 };
        }
        let all_fail = (num_samples - num_passed + 1..=num_samples)
            .map(|number| 1.0 - k as f64 / number as f64)
            .product::<f64>();
        1.0 - all_fail
    }
}

/// pass@k of problems. Wilson's interval where every problem has one sample, else the bootstrap's.
pub fn pass_at(counts: &[Count], k: usize) -> Estimate {
    let values: Vec<f64> = counts.iter().map(|count| count.pass_at(k)).collect();
    if counts.iter().all(|count| count.num_samples <= 1) {
        let num_passed = counts.iter().filter(|count| count.num_passed > 0).count();
        return wilson(num_passed, counts.len());
    }
    bootstrap(&values)
}

/// Wilson's score interval: unlike the normal one, it is right at both ends, and for few problems.
pub fn wilson(num_passed: usize, num_total: usize) -> Estimate {
    let method = Method::Wilson;
    if num_total == 0 {
        return Estimate { value: 0.0, low: 0.0, high: 1.0, method };
    }
    let n = num_total as f64;
    let value = num_passed as f64 / n;
    let middle = value + Z * Z / (2.0 * n);
    let width = Z * (value * (1.0 - value) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    let low = ((middle - width) / scale).max(0.0);
    Estimate { value, low, high: ((middle + width) / scale).min(1.0), method }
}

/// The percentile bootstrap over problems, always with the same draws.
fn bootstrap(values: &[f64]) -> Estimate {
    let n = values.len();
    let value = values.iter().sum::<f64>() / n as f64;
    let mut random = Random(0);
    let mut means: Vec<f64> = (0..NUM_RESAMPLES)
        .map(|_| (0..n).map(|_| values[random.below(n)]).sum::<f64>() / n as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |part: f64| means[((NUM_RESAMPLES - 1) as f64 * part).round() as usize];
    Estimate { value, low: at(0.025), high: at(0.975), method: Method::Bootstrap }
}

/// SplitMix64: a few lines, and random enough to draw problems with.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = mixed ^ (mixed >> 31);
        ((u128::from(mixed) * limit as u128) >> 64) as usize
    }
}

/// McNemar's exact test, two-sided: how likely so uneven a split of the differing pairs is, if
/// either side were as likely to win.
pub fn mcnemar(num_won: usize, num_lost: usize) -> f64 {
    let n = num_won + num_lost;
    let (mut log_term, mut sum) = (-(n as f64) * std::f64::consts::LN_2, 0.0);
    for idx in 0..=num_won.min(num_lost) {
        sum += log_term.exp();
        log_term += ((n - idx) as f64 / (idx + 1) as f64).ln();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    #[test]
    fn pass_at_k_is_the_share_of_draws_with_a_passing_one() {
        let count = |num_samples, num_passed| Count { num_samples, num_passed };
        // (n, c, k, by counting draws)
        let table = [
            (1, 0, 1, 0.0),
            (1, 1, 1, 1.0),
            (5, 2, 1, 0.4),
            (5, 2, 2, 0.7),
            (5, 2, 4, 1.0),
            (200, 50, 10, 0.947_906_4),
            (0, 0, 1, 0.0),
        ];
        for (n, c, k, expected) in table {
            let found = count(n, c).pass_at(k);
            assert!((found - expected).abs() < 1e-6, "{n} {c} {k}: {found}");
        }
    }

    #[test]
    fn intervals_are_as_known() {
        // R: binom::binom.confint(method = "wilson").
        let half = wilson(5, 10);
        is_near(half.low, 0.236_593_1);
        is_near(half.high, 0.763_406_9);
        let none = wilson(0, 10);
        is_near(none.low, 0.0);
        is_near(none.high, 0.277_532_8);
        // The means of many values are about normal: sqrt(1/4 / 400) * 1.96.
        let values: Vec<f64> = (0..400).map(|idx| f64::from(idx % 2)).collect();
        let found = bootstrap(&values);
        assert!((found.low - 0.451).abs() < 0.006 && (found.high - 0.549).abs() < 0.006);
        assert_eq!(found, bootstrap(&values));
    }

    #[test]
    fn mcnemar_is_as_known() {
        // R: binom.test(b, b + c)$p.value.
        let table = [
            (0, 0, 1.0),
            (1, 1, 1.0),
            (5, 0, 0.0625),
            (10, 2, 0.038_574_2),
            (39, 0, 3.637_979e-12),
        ];
        for (won, lost, expected) in table {
            let found = mcnemar(won, lost);
            assert!((found / expected - 1.0).abs() < 1e-5, "{won} {lost}: {found}");
            assert!((mcnemar(lost, won) - found).abs() < 1e-15);
        }
    }
}
