using FuncScaler.Policies.Adaptive.Demand;

namespace FuncScaler.Tests.Policies.Adaptive.Demand;

public class RateRisesTests
{
    private const long Second = 1_000_000;
    private const double ColdUs = 20 * Second;
    private const int Often = 20;

    [Fact]
    public void Before_any_rise_has_been_seen_none_is_taken_to_go_on() =>
        Assert.Equal(0, default(RateRises).Expected(default));

    [Fact]
    public void Levels_of_a_minute_go_on_and_bursts_of_a_second_do_not()
    {
        var lasting = default(RateRises.Share);
        var passing = default(RateRises.Share);
        var levels = Play(60, ref lasting).Expected(lasting);
        var bursts = Play(1, ref passing).Expected(passing);

        Assert.InRange(levels, 0.7, 2);
        Assert.InRange(bursts, 0, 0.2);
    }

    [Fact]
    public void Who_has_seen_none_expects_what_others_have_seen_and_who_has_what_it_has_seen_itself()
    {
        var all = default(RateRises.Share);
        var levels = Play(60, ref all);
        var others = all.Given(0);

        Assert.InRange(others, 0.7, 2);
        Assert.Equal(others, default(RateRises).Expected(all), tolerance: 1e-6);
        Assert.InRange(Play(1, ref all).Expected(all), 0, 0.2);
        Assert.InRange(levels.Expected(all), 0.7, 2);
    }

    /// <summary>One request a second, and now and then twenty times as many for so many seconds.</summary>
    private static RateRises Play(int seconds, ref RateRises.Share all)
    {
        var rises = default(RateRises);
        var rates = default(ArrivalRates);
        for (var second = 0; second < 200 * 20; second++)
        {
            var count = second % 200 >= 100 && second % 200 < 100 + seconds ? Often : 1;
            for (var i = 0; i < count; i++)
            {
                var atUs = (second * Second) + (i * Second / count);
                rates.Arrived(atUs, ColdUs);
                rises.Arrived(atUs, ColdUs, rates, ref all);
            }
        }

        return rises;
    }
}
