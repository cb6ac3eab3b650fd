using FsCheck.Fluent;
using FuncScaler.Policies.Adaptive.Planning;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Policies.Adaptive.Planning;

public class KeepAlivePlannerTests
{
    /// <summary>So dear that nothing is created ahead of time.</summary>
    private const double NeverAhead = 1e12;

    [Fact]
    public void Where_only_holding_is_left_the_plan_is_the_best_of_all_thresholds() => Properties.Check(
        (from bins in Gen.ArrayOf(
            from bin in Gen.Choose(0, LogHistogram.BinCount - 1)
            from weight in Gen.Choose(1, 100)
            select (bin, weight), 6)
         from used in Gen.Choose(1, 6)
         from never in Gen.Choose(0, 100)
         from memory in Gen.Choose(1, 32)
         from miss in Gen.Choose(1, 2000)
         select (Shares(bins[..used], never), memory / 8.0, miss / 10.0)).ToArbitrary(),
        of =>
        {
            var (shares, memoryGb, missGbs) = of;
            var plan = KeepAlivePlanner.Plan(Hazards(shares), memoryGb, 0.5, NeverAhead, missGbs);

            Assert.Equal(0, plan.Prewarms);
            var costs = Enumerable.Range(0, LogHistogram.BinCount + 1).Select(held => Cost(shares, memoryGb, missGbs, held)).ToArray();
            var ofPlan = Enumerable.Range(0, LogHistogram.BinCount + 1).Single(held => Same(UntilUs(held), plan.HoldUs));
            Assert.Equal(costs.Min(), costs[ofPlan], 1e-6 * missGbs);
            Assert.Equal(costs[0] - costs.Min(), plan.WorthGbs, 1e-4 * missGbs);
        },
        tests: Properties.Often(300));

    [Fact]
    public void A_timer_is_given_back_and_made_again_in_time()
    {
        var plan = Timer(createGbs: 0.25, missGbs: 5);

        Assert.Equal(0, plan.HoldUs);
        Assert.Equal(1, plan.Prewarms);
        var bin = LogHistogram.BinOf(30_000_000);
        var (fromUs, untilUs) = plan.Prewarm(1);
        Assert.True(Same((long)LogHistogram.LowerBoundUs(bin), fromUs), $"{fromUs}");
        Assert.True(Same((long)LogHistogram.UpperBoundUs(bin), untilUs), $"{untilUs}");
    }

    [Fact]
    public void A_timer_is_held_for_where_creating_again_is_dear()
    {
        var plan = Timer(createGbs: 30, missGbs: 40);

        Assert.Equal(0, plan.Prewarms);
        Assert.True(Same((long)LogHistogram.UpperBoundUs(LogHistogram.BinOf(30_000_000)), plan.HoldUs), $"{plan.HoldUs}");
    }

    [Fact]
    public void A_timer_is_left_alone_where_a_miss_is_cheap()
    {
        var plan = Timer(createGbs: 0.25, missGbs: 0.3);

        Assert.Equal((0, 0L, 0.0), (plan.Prewarms, plan.HoldUs, plan.WorthGbs));
    }

    [Fact]
    public void Nothing_is_created_for_a_gap_that_is_over_before_it_is_ready()
    {
        // Given back at once and made again for gaps of a tenth of a second it would not be there; so it is held from the beginning.
        var plan = KeepAlivePlanner.Plan(Hazards(Shares([(LogHistogram.BinOf(100_000), 1)], 0)), 0.5, 0.5, 0.01, 5);

        Assert.Equal(0, plan.Prewarms);
        Assert.Equal((long)LogHistogram.UpperBoundUs(LogHistogram.BinOf(100_000)), plan.HoldUs);
    }

    [Fact]
    public void An_instance_is_worth_a_miss_where_none_could_be_ready_in_time()
    {
        // Gaps of a tenth of a second, cold starts of half a second: who has none pays a miss, however cheap creating is.
        var bin = LogHistogram.BinOf(100_000);
        var plan = KeepAlivePlanner.Plan(Hazards(Shares([(bin, 1)], 0)), 0.5, 0.5, 0.01, 5);

        Assert.Equal(5 - (0.5 * (HeldSeconds(bin) + (LengthSeconds(bin) / 2))), plan.WorthGbs, 0.01);
    }

    [Fact]
    public void Where_the_gap_is_long_enough_it_is_not_worth_more_than_creating_another()
    {
        var plan = KeepAlivePlanner.Plan(Hazards(Shares([(LogHistogram.BinOf(30_000_000), 1)], 0)), 0.5, 0.5, 0.25, 5);

        Assert.InRange(plan.WorthGbs, 0, 0.25);
    }

    [Fact]
    public void The_likelier_it_is_that_nothing_comes_again_the_less_is_held()
    {
        // Gaps of about 10 s: 5 GBs of holding against a miss of 6.
        var bin = (LogHistogram.BinOf(10_000_000), 100);

        Assert.True(KeepAlivePlanner.Plan(Hazards(Shares([bin], never: 0)), 0.5, 0.5, NeverAhead, 6).HoldUs >= 10_000_000);
        Assert.Equal(0, KeepAlivePlanner.Plan(Hazards(Shares([bin], never: 100)), 0.5, 0.5, NeverAhead, 6).HoldUs);
    }

    private static KeepAlivePlan Timer(double createGbs, double missGbs) =>
        KeepAlivePlanner.Plan(Hazards(Shares([(LogHistogram.BinOf(30_000_000), 1)], 0)), 0.5, 0.5, createGbs, missGbs);

    private static double[] Shares(IEnumerable<(int Bin, int Weight)> bins, int never)
    {
        var shares = new double[LogHistogram.BinCount];
        double total = never + bins.Sum(b => b.Weight);
        foreach (var (bin, weight) in bins)
        {
            shares[bin] += weight / total;
        }

        return shares;
    }

    private static double[] Hazards(double[] shares)
    {
        var hazards = new double[shares.Length];
        double reach = 1;
        for (var bin = 0; bin < shares.Length; bin++)
        {
            hazards[bin] = reach < 1e-9 ? 0 : Math.Min(1, shares[bin] / reach);
            reach -= shares[bin];
        }

        return hazards;
    }

    /// <summary>What a gap costs that is held for the first so many bins, by definition: gaps end in the middle of their bins.</summary>
    private static double Cost(double[] shares, double memoryGb, double missGbs, int held)
    {
        double cost = 0;
        for (var bin = 0; bin < shares.Length; bin++)
        {
            cost += shares[bin] * (bin < held ? memoryGb * (HeldSeconds(bin) + (LengthSeconds(bin) / 2)) : (memoryGb * HeldSeconds(held)) + missGbs);
        }

        return cost + ((1 - shares.Sum()) * memoryGb * HeldSeconds(held));
    }

    private static double HeldSeconds(int bins) => Enumerable.Range(0, bins).Sum(LengthSeconds);

    private static double LengthSeconds(int bin) =>
        (bin == LogHistogram.BinCount - 1 ? LogHistogram.LowerBoundUs(bin) : LogHistogram.UpperBoundUs(bin) - LogHistogram.LowerBoundUs(bin)) / 1e6;

    private static bool Same(long us, long other) => Math.Abs(us - other) <= 1e-6 * us;

    private static long UntilUs(int held) =>
        held == 0 ? 0 : (long)(held == LogHistogram.BinCount ? 2 * LogHistogram.LowerBoundUs(held - 1) : LogHistogram.UpperBoundUs(held - 1));
}
