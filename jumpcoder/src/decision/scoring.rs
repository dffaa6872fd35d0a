//! Generation Model Scoring: does the generation model find the lines after an insertion more
//! likely than before?

use crate::program::{Line, LineScore};

/// The walk over the lines after an insertion.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Walk {
    /// For each line that was walked: mean score after minus before; `None` where it was skipped.
    pub deltas: Vec<Option<f64>>,
    /// Lines that improved by the threshold.
    pub num_improved: usize,
    /// The last line that improved, counted from the insertion's end.
    pub last_improved: Option<usize>,
    /// The sum of their deltas.
    pub gain: f64,
    /// Did the walk end at a line that didn't improve?
    pub has_ended: bool,
}

impl Walk {
    /// Walks on over the lines of which the scores are known. `before` and `after` are the scores
    /// of all lines after the insertion; `num_known` of `after` are known.
    pub fn go_on(
        &mut self,
        before: &[Option<LineScore>],
        after: &[Option<LineScore>],
        num_known: usize,
        threshold: f64,
    ) {
        assert_eq!(before.len(), after.len(), "the same lines");
        let delta = |line: usize| comparable(before[line], after[line]);
        self.go_on_over((self.deltas.len()..num_known).map(delta), threshold);
    }

    /// Walks on over lines whose improvements were recorded: those of the first `num_known`.
    pub fn follow(&mut self, recorded: &[Option<f64>], num_known: usize, threshold: f64) {
        let known = &recorded[..recorded.len().min(num_known)];
        let rest = known.get(self.deltas.len()..).unwrap_or_default();
        self.go_on_over(rest.iter().copied(), threshold);
    }

    fn go_on_over(&mut self, deltas: impl Iterator<Item = Option<f64>>, threshold: f64) {
        for delta in deltas {
            if self.has_ended {
                return;
            }
            let line = self.deltas.len();
            self.deltas.push(delta);
            match delta {
                Some(delta) if delta >= threshold => {
                    self.num_improved += 1;
                    self.last_improved = Some(line);
                    self.gain += delta;
                }
                Some(_) => self.has_ended = true,
                None => {}
            }
        }
    }

    /// Did enough lines improve: at least one, two where there are two, and half of them?
    /// `num_scored` lines after the insertion have scored tokens.
    pub fn is_accepted(&self, num_scored: usize) -> bool {
        self.num_improved >= num_scored.clamp(1, 2) && 2 * self.num_improved >= num_scored
    }
}

/// The improvement of a line; `None` if it has no scored tokens, or another number of them.
fn comparable(before: Option<LineScore>, after: Option<LineScore>) -> Option<f64> {
    let (before, after) = (before?, after?);
    (before.num_tokens == after.num_tokens).then_some(after.mean - before.mean)
}

/// What is left of an accepted candidate: so many of its `lines`. `None` if a line of the prompt
/// would be dropped. `position` is the insertion's, `num_inserted` its lines.
///
/// With `quirks` it is where the reference cuts: as if every improved line followed a single
/// inserted one, and a dropped line that reads like one of the prompt counts as such.
pub fn num_kept_lines(
    lines: &[Line],
    position: usize,
    num_inserted: usize,
    walk: &Walk,
    quirks: bool,
) -> Option<usize> {
    let num_kept = if quirks {
        (position + walk.num_improved + 1).min(lines.len())
    } else {
        position + num_inserted + walk.last_improved.map_or(0, |line| line + 1)
    };
    let reads_like_prompt =
        |line: &Line| lines.iter().any(|other| other.is_prompt && other.text == line.text);
    let is_protected = |line: &Line| {
        !line.is_blank() && if quirks { reads_like_prompt(line) } else { line.is_prompt }
    };
    (!lines[num_kept..].iter().any(is_protected)).then_some(num_kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(means: &[(usize, f64)]) -> Vec<Option<LineScore>> {
        let score = |(num_tokens, mean): &(usize, f64)| {
            (*num_tokens > 0).then_some(LineScore {
                num_tokens: *num_tokens,
                first: *mean as f32,
                mean: *mean,
            })
        };
        means.iter().map(score).collect()
    }

    #[test]
    fn the_walk_skips_and_ends_where_it_should() {
        let before = scores(&[(2, 1.0), (0, 0.0), (3, 1.0), (2, 5.0), (1, 1.0)]);
        let after = scores(&[(2, 1.5), (0, 0.0), (4, 9.0), (2, 5.25), (1, 9.0)]);
        let mut at_once = Walk::default();
        at_once.go_on(&before, &after, 5, 0.3);
        assert_eq!(at_once.deltas, [Some(0.5), None, None, Some(0.25)]);
        assert_eq!((at_once.num_improved, at_once.last_improved), (1, Some(0)));
        let mut in_parts = Walk::default();
        for num_known in [1, 1, 3, 5] {
            in_parts.go_on(&before, &after, num_known, 0.3);
        }
        assert_eq!(in_parts, at_once, "the walk doesn't depend on how much is known when");
    }

    #[test]
    fn enough_is_two_and_half() {
        let improved = |num_improved| Walk { num_improved, ..Walk::default() };
        for (num_improved, num_scored, accepted) in
            [(0, 0, false), (0, 1, false), (1, 1, true), (1, 2, false), (2, 4, true), (2, 5, false)]
        {
            assert_eq!(improved(num_improved).is_accepted(num_scored), accepted);
        }
    }

    #[test]
    fn the_cut_spares_the_prompt() {
        let line = |text: &str, is_prompt| Line { text: format!("{text}\n"), is_prompt };
        let lines = [line("p", true), line("new", false), line("a", false), line("b", false)];
        let walk = Walk { num_improved: 1, last_improved: Some(0), ..Walk::default() };
        assert_eq!(num_kept_lines(&lines, 1, 1, &walk, false), Some(3));
        let walk = Walk::default();
        assert_eq!(num_kept_lines(&lines, 0, 1, &walk, false), Some(1));
        let prompt_below = [line("new", false), line("p", true), line("q", true)];
        assert_eq!(num_kept_lines(&prompt_below, 0, 1, &walk, false), None);
    }
}
