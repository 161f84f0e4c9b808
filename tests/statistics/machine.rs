//! Machines whose speed varies from run to run, in the ways that real ones do.

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal, Pareto};

/// Chance of one experiment, the same for the same seed.
pub(crate) struct Chance(Pcg32);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg32::seed_from_u64(seed))
    }

    /// Evenly between 0 and 1, neither included.
    pub(crate) fn unit(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0
    }

    fn once_in(&mut self, times: f64) -> bool {
        self.unit() * times < 1.0
    }

    fn normal(&mut self, deviation: f64) -> f64 {
        deviation * Normal::standard().inverse_cdf(self.unit())
    }

    /// One and the noise of a normal distribution, on the scale of logarithms.
    fn lognormal(&mut self, deviation: f64) -> f64 {
        self.normal(deviation).exp()
    }

    fn pareto(&mut self, least: f64, shape: f64) -> f64 {
        Pareto::new(least, shape).expect("constants").inverse_cdf(self.unit())
    }
}

/// How the time of a run differs from the program's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    /// Lognormal, 1 %.
    Quiet,
    /// Lognormal, 5 %.
    Normal,
    /// Lognormal, 4 %; one run in ten takes 10 % more or far more (Pareto, shape 1.5: no variance).
    HeavyTailed,
    /// One run in three is 5 to 25 % slower, never faster: skewed.
    Skewed,
    /// Gets slower by 40 % over the budget, evenly; 5 %.
    LinearDrift,
    /// Slower by 25 % from some moment on; 5 %.
    StepDrift,
    /// Fast or slow by 15 %, by chance for each run; 2 %.
    Bimodal,
    /// The same, but the mode stays for ten runs on average; 2 %.
    StickyModes,
    /// Autoregressive, 0.8 from run to run, 5 % in all; 2 % of its own.
    Autocorrelated,
    /// The speed is the sum of all steps before, 2 % each; 2 %.
    RandomWalk,
    /// Every second run is slower by 5 %, whichever side; 3 %.
    Alternating,
    /// The baseline 3 %, the candidate 8 %.
    Unequal,
    /// 4 %, read from a clock that ticks 100 times a second.
    Ticks,
    /// Memory: whole pages of 4 KiB, of which a few more or less.
    Pages,
}

impl Machine {
    pub(crate) const ALL: [Self; 14] = [
        Self::Quiet,
        Self::Normal,
        Self::HeavyTailed,
        Self::Skewed,
        Self::LinearDrift,
        Self::StepDrift,
        Self::Bimodal,
        Self::StickyModes,
        Self::Autocorrelated,
        Self::RandomWalk,
        Self::Alternating,
        Self::Unequal,
        Self::Ticks,
        Self::Pages,
    ];
}

/// One machine in one experiment.
pub(crate) struct Noise {
    machine: Machine,
    state: f64,
    when: f64,
    runs: u32,
}

impl Noise {
    pub(crate) fn new(machine: Machine, chance: &mut Chance) -> Self {
        let state = match machine {
            Machine::Autocorrelated => chance.normal(0.05),
            Machine::StickyModes => f64::from(u8::from(chance.once_in(2.0))),
            _ => 0.0,
        };
        Self { machine, state, when: chance.unit(), runs: 0 }
    }

    /// What is measured of a run that takes `own` on an ideal machine; `spent` is the part of the budget so far.
    pub(crate) fn run(
        &mut self,
        own: f64,
        candidate: bool,
        spent: f64,
        chance: &mut Chance,
    ) -> f64 {
        self.runs += 1;
        match self.machine {
            Machine::Quiet => own * chance.lognormal(0.01),
            Machine::Normal => own * chance.lognormal(0.05),
            Machine::HeavyTailed => {
                let spike = if chance.once_in(10.0) { chance.pareto(0.1, 1.5) } else { 0.0 };
                own * chance.lognormal(0.04) * (1.0 + spike)
            }
            Machine::Skewed => {
                let late = if chance.once_in(3.0) { 0.05 + 0.2 * chance.unit() } else { 0.0 };
                own * chance.lognormal(0.02) * (1.0 + late)
            }
            Machine::LinearDrift => own * chance.lognormal(0.05) * (1.0 + 0.4 * spent),
            Machine::StepDrift => {
                own * chance.lognormal(0.05) * if spent > self.when { 1.25 } else { 1.0 }
            }
            Machine::Bimodal => {
                own * chance.lognormal(0.02) * if chance.once_in(2.0) { 1.15 } else { 1.0 }
            }
            Machine::StickyModes => {
                if chance.once_in(10.0) {
                    self.state = 1.0 - self.state;
                }
                own * chance.lognormal(0.02) * (1.0 + 0.15 * self.state)
            }
            Machine::Autocorrelated => {
                self.state = 0.8 * self.state + chance.normal(0.05 * 0.6);
                own * (self.state + chance.normal(0.02)).exp()
            }
            Machine::RandomWalk => {
                self.state += chance.normal(0.02);
                own * (self.state + chance.normal(0.02)).exp()
            }
            Machine::Alternating => {
                own * chance.lognormal(0.03) * if self.runs.is_multiple_of(2) { 1.05 } else { 1.0 }
            }
            Machine::Unequal => own * chance.lognormal(if candidate { 0.08 } else { 0.03 }),
            Machine::Ticks => {
                let ticks = 100.0 * own * chance.lognormal(0.04) + chance.unit() - 0.5;
                ticks.round().max(1.0) / 100.0
            }
            Machine::Pages => {
                let pages = 5_000.0 * own + 8.0 * chance.unit() - 4.0;
                pages.round() / 5_000.0
            }
        }
    }
}
