using System.Numerics;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Policies.Published;

public class FftPolicyTests
{
    // A wave whose period divides the window is one line of the spectrum: its continuation is known exactly.
    [Theory]
    [InlineData(60, 12, 0.0)]
    [InlineData(60, 12, 1.0)]
    [InlineData(60, 5, 2.0)]
    [InlineData(60, 60, 0.5)]
    [InlineData(64, 2, 0.0)]
    public void A_pure_wave_is_continued_by_one_harmonic(int window, int period, double phase)
    {
        double Value(int t) => 5 + (3 * Math.Cos((2 * Math.PI * t / period) + phase));

        var forecast = HarmonicForecast.Next([.. Enumerable.Range(0, window).Select(Value)], harmonics: 1, trendDegree: 0);

        Assert.Equal(Value(window), forecast, tolerance: 1e-9);
    }

    // 4 + 3 cos(2 pi t / 10) + 2 cos(2 pi t / 6 + 1) + cos(2 pi t / 4): at t = 60 each wave is at its beginning: 4 + 3 + 2 cos(1) + 1.
    // The two strongest alone say 4 + 3 + 2 cos(1).
    [Theory]
    [InlineData(3, 9.0806)]
    [InlineData(2, 8.0806)]
    [InlineData(1, 7)]
    [InlineData(0, 4)]
    public void The_strongest_harmonics_count(int harmonics, double expected)
    {
        var series = Enumerable.Range(0, 60)
            .Select(t => 4 + (3 * Math.Cos(2 * Math.PI * t / 10)) + (2 * Math.Cos((2 * Math.PI * t / 6) + 1)) + Math.Cos(2 * Math.PI * t / 4));

        Assert.Equal(expected, HarmonicForecast.Next([.. series], harmonics, trendDegree: 0), tolerance: 1e-4);
    }

    // f(t) = 0.01 t² - 0.3 t + 7 has no periodic part: at t = 60 it is 36 - 18 + 7 = 25.
    [Fact]
    public void A_quadratic_trend_is_continued()
    {
        var series = Enumerable.Range(0, 60).Select(t => (0.01 * t * t) - (0.3 * t) + 7);

        Assert.Equal(25, HarmonicForecast.Next([.. series], harmonics: 10, trendDegree: 2), tolerance: 1e-9);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(12)]
    [InlineData(60)]
    public void The_transform_is_that_of_the_definition(int length)
    {
        var values = Enumerable.Range(0, length).Select(i => new Complex(Math.Sin(i * i), Math.Cos(3 * i))).ToArray();

        var spectrum = HarmonicForecast.Transform(values);

        for (var k = 0; k < length; k++)
        {
            var expected = Complex.Zero;
            for (var t = 0; t < length; t++)
            {
                expected += values[t] * Complex.Exp(new Complex(0, -2 * Math.PI * k * t / length));
            }

            Assert.Equal(0, (spectrum[k] - expected).Magnitude, tolerance: 1e-9);
        }
    }

    // Every fifth minute four requests at one time: 4, 0, 0, 0, 0, 4, ... Its spectrum is two lines and the mean, so the forecast is exact:
    // four instances are created when the fifth minute begins, serve its requests, and go when it ends.
    [Fact]
    public void Instances_are_created_when_the_interval_begins_for_which_they_are_forecast_and_go_when_it_ends()
    {
        var bench = new PolicyBench("fft:trend=0");
        var function = PolicyBench.Function();
        var busyMinute = EveryFifthMinuteFourAtATime(bench, function);
        var begin = busyMinute * 60.0;
        var createsBefore = bench.Creates(function).Count();

        bench.AdvanceTo(begin - 0.001);
        Assert.Equal(0, bench.Pool(function).SlotCount);
        bench.AdvanceTo(begin + 10);
        Assert.Equal(4, bench.Pool(function).IdleCount);
        bench.RunTogether(function, 4, 20);
        bench.AdvanceTo(begin + 59);
        Assert.Equal(4, bench.Pool(function).IdleCount);
        bench.AdvanceTo(begin + 61);

        Assert.Equal([begin, begin, begin, begin], bench.Creates(function).Skip(createsBefore));
        Assert.Equal([begin + 60, begin + 60, begin + 60, begin + 60], bench.Destroys(function).TakeLast(4));
    }

    // The quadratic that is fitted first takes 0.32 from the value to come (0.65 at t = 60 for 0.97 at t = 0), and the ten strongest of the
    // harmonics give 0.10 of it back: 4 - 0.32 + 0.10 = 3.79, rounded 4.
    [Fact]
    public void With_its_trend_the_forecast_for_the_busy_interval_is_the_same()
    {
        var bench = new PolicyBench("fft");
        var function = PolicyBench.Function();
        var busyMinute = EveryFifthMinuteFourAtATime(bench, function);

        bench.AdvanceTo((busyMinute * 60) + 10);

        Assert.Equal(4, bench.Pool(function).IdleCount);
        Assert.Equal(
            3.7856,
            HarmonicForecast.Next([.. Enumerable.Range(0, 60).Select(t => t % 5 == 0 ? 4.0 : 0)], harmonics: 10, trendDegree: 2),
            tolerance: 1e-4);
    }

    [Fact]
    public void More_requests_than_forecast_are_served_on_demand_and_their_instances_stay_to_the_end_of_the_interval()
    {
        var bench = new PolicyBench("fft:trend=0");
        var function = PolicyBench.Function();
        var begin = EveryFifthMinuteFourAtATime(bench, function) * 60.0;
        bench.AdvanceTo(begin + 10);

        bench.RunTogether(function, 6, 20);
        Assert.Equal(6, bench.Pool(function).IdleCount);
        bench.AdvanceTo(begin + 61);

        // The forecast was made from the past alone; what comes now changes only those to come.
        Assert.Equal(0, bench.Pool(function).IdleCount);
    }

    // Then the mean of ten intervals, of which one saw a request, is 0.1: none.
    [Fact]
    public void Before_the_first_ten_intervals_are_over_idle_instances_stay()
    {
        var bench = new PolicyBench("fft:harmonics=0,trend=0");
        var function = PolicyBench.Function();
        bench.Run(function, 1);

        bench.AdvanceTo(599);
        Assert.Equal(1, bench.Pool(function).IdleCount);
        bench.AdvanceTo(601);
        Assert.Equal(0, bench.Pool(function).IdleCount);
    }

    [Fact]
    public void A_function_that_is_long_silent_wakes_nobody()
    {
        var bench = new PolicyBench("fft");
        var function = PolicyBench.Function();
        bench.Run(function, 1);

        bench.AdvanceTo(10_000);

        Assert.Equal(long.MaxValue, bench.Pool(function).NextWakeUs);
    }

    /// <summary>Fills the window, and returns the number of the next busy minute, which has not begun.</summary>
    private static int EveryFifthMinuteFourAtATime(PolicyBench bench, FunctionMeta function)
    {
        for (var minute = 0; minute < 65; minute += 5)
        {
            bench.AdvanceTo((minute * 60) + 10);
            bench.RunTogether(function, 4, 20);
        }

        return 65;
    }
}
