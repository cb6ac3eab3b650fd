using FuncScaler.Policies.Adaptive.Planning;

namespace FuncScaler.Tests.Policies.Adaptive.Planning;

public class DisplacedExecutionsTests
{
    private const double ColdUs = 10_000_000;

    [Fact]
    public void A_slot_that_is_asked_for_again_and_again_displaces_more()
    {
        var displaced = default(DisplacedExecutions);
        Assert.Equal(1, displaced.Mean);

        // Every minute five requests for each of two slots, within a cold start.
        Play(ref displaced, 40, (0, true), (1, true), (2, false), (3, false), (4, false), (5, false), (6, false), (7, false), (8, false), (9, false));
        Assert.Equal(5, displaced.Mean, 0.01);

        // The first waits 3 s, each other 2 s more than the one before.
        Assert.Equal(3 + 5 + 7 + 9 + 11, displaced.WaitSeconds(3, 2, share: 1), 0.3);
        Assert.Equal(3, displaced.WaitSeconds(3, 2, share: 0), 6);
    }

    [Fact]
    public void One_request_each_time_waits_for_itself_alone()
    {
        var displaced = default(DisplacedExecutions);
        Play(ref displaced, 40, (0, true));

        Assert.Equal(1, displaced.Mean);
        Assert.Equal(3, displaced.WaitSeconds(3, 2, share: 1));
    }

    [Fact]
    public void What_comes_while_the_slot_is_used_anyway_begins_nothing()
    {
        var displaced = default(DisplacedExecutions);
        Play(ref displaced, 40, (0, false), (1, false), (2, false));

        Assert.Equal(1, displaced.Mean);
    }

    private static void Play(ref DisplacedExecutions displaced, int minutes, params (long Second, bool AfterGap)[] arrivals)
    {
        for (var minute = 0; minute <= minutes; minute++)
        {
            foreach (var (second, afterGap) in arrivals)
            {
                displaced.Arrived(((minute * 60) + second) * 1_000_000, afterGap, ColdUs);
            }
        }
    }
}
