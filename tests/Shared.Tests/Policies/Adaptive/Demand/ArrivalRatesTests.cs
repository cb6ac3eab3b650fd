using FuncScaler.Policies.Adaptive.Demand;

namespace FuncScaler.Tests.Policies.Adaptive.Demand;

public class ArrivalRatesTests
{
    private const long Second = 1_000_000;
    private const double ColdUs = 20 * Second;

    [Fact]
    public void What_comes_by_chance_at_one_rate_is_hardly_a_rise()
    {
        // Ten a second: about 200 in the time of a cold start.
        var random = new Random(7);
        var rates = default(ArrivalRates);
        double atUs = 0, rises = 0;
        for (var i = 0; i < 20_000; i++)
        {
            atUs += -Math.Log(1 - random.NextDouble()) * Second / 10;
            rates.Arrived((long)atUs, ColdUs);
            rises += rates.Rise((long)atUs, ColdUs);
        }

        Assert.InRange(rates.Recent((long)atUs, ColdUs), 150, 250);
        Assert.InRange(rises / 20_000, 0, 10);
    }

    [Fact]
    public void A_higher_rate_is_seen_long_before_a_cold_start_has_passed()
    {
        // Two a second, then 20: two seconds after that.
        var rates = default(ArrivalRates);
        var atUs = Arrive(ref rates, 0, 200, Second / 2);
        atUs = Arrive(ref rates, atUs, 40, Second / 20);

        Assert.InRange(rates.Recent(atUs, ColdUs), 40, 100);
        Assert.InRange(rates.Recent(atUs, ColdUs) + rates.Rise(atUs, ColdUs), 150, 400);
    }

    [Fact]
    public void When_nothing_comes_a_rise_is_over()
    {
        var rates = default(ArrivalRates);
        var atUs = Arrive(ref rates, 0, 100, Second / 100);

        Assert.True(rates.Rise(atUs, ColdUs) > 500);
        Assert.Equal(0, rates.Rise(atUs + (20 * Second), ColdUs));
    }

    [Fact]
    public void Three_requests_at_once_are_no_rise()
    {
        var rates = default(ArrivalRates);
        Arrive(ref rates, 0, 3, 0);

        Assert.Equal(0, rates.Rise(0, ColdUs));
        Assert.Equal(3, rates.Recent(0, ColdUs));
    }

    private static long Arrive(ref ArrivalRates rates, long atUs, int count, long everyUs)
    {
        for (var i = 0; i < count; i++)
        {
            atUs += everyUs;
            rates.Arrived(atUs, ColdUs);
        }

        return atUs;
    }
}
