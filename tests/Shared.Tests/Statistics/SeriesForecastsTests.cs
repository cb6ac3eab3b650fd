using FuncScaler.Statistics;

namespace FuncScaler.Tests.Statistics;

public class SeriesForecastsTests
{
    // 1, -1, 1, -1 of length 4 has the autocorrelations 4, -3: the coefficient is -3/4, so after the last -1 comes 0.75.
    [Fact]
    public void An_autoregression_of_order_one_is_the_ratio_of_two_autocorrelations() =>
        Assert.Equal(0.75, SeriesForecasts.AutoRegressive([1, -1, 1, -1], order: 1), 12);

    // x(t) = 0.8 x(t - 1) - 0.5 x(t - 2) + noise, a long series: the coefficients are found again.
    [Fact]
    public void An_autoregression_of_order_two_finds_its_coefficients_again()
    {
        var random = new Random(1);
        var series = new double[20_000];
        for (var t = 2; t < series.Length; t++)
        {
            series[t] = (0.8 * series[t - 1]) - (0.5 * series[t - 2]) + random.NextDouble() - 0.5;
        }

        Assert.Equal((0.8 * series[^1]) - (0.5 * series[^2]), SeriesForecasts.AutoRegressive(series, order: 2), 0.02);
    }

    [Fact]
    public void A_constant_series_goes_on_whatever_the_model()
    {
        double[] series = [.. Enumerable.Repeat(3.0, 50)];

        Assert.Equal(3, SeriesForecasts.AutoRegressive(series, 10), 9);
        Assert.Equal(3, SeriesForecasts.MarkovChain(series), 9);
        Assert.Equal(3, SeriesForecasts.Holt(series), 9);
        Assert.Equal(3, SeriesForecasts.Smoothed(series), 9);
    }

    // After 2 came 5 once and 6 once.
    [Fact]
    public void A_chain_gives_the_mean_of_what_followed() => Assert.Equal(5.5, SeriesForecasts.MarkovChain([2, 5, 2, 6, 2]), 12);

    // 2.4 never came; 2 is nearest.
    [Fact]
    public void A_chain_takes_the_nearest_value_where_the_present_one_never_came() =>
        Assert.Equal(5, SeriesForecasts.MarkovChain([9, 2, 5, 9, 2.4]), 12);

    [Fact]
    public void A_line_is_continued_by_level_and_trend() => Assert.Equal(11, SeriesForecasts.Holt([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), 9);

    // A jump from 0 to 1: the weight with the least error is the largest, 0.9: 0.9, then 0.99, then 0.999.
    [Fact]
    public void Smoothing_takes_the_weight_with_the_least_error() => Assert.Equal(0.999, SeriesForecasts.Smoothed([0, 1, 1, 1]), 9);

    [Fact]
    public void Of_nothing_nothing_is_forecast()
    {
        Assert.Equal(0, SeriesForecasts.AutoRegressive([], 10));
        Assert.Equal(0, SeriesForecasts.MarkovChain([]));
        Assert.Equal(0, SeriesForecasts.Holt([]));
        Assert.Equal(0, SeriesForecasts.Smoothed([]));
    }
}
