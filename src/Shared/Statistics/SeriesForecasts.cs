namespace FuncScaler.Statistics;

/// <summary>Forecasts of the value after the last one of a series, each by one of the field's usual models.</summary>
public static class SeriesForecasts
{
    private static readonly double[] Weights = [0.1, 0.3, 0.5, 0.7, 0.9];

    /// <summary>
    /// An autoregressive model about the series' mean, its coefficients by the Yule-Walker equations (Levinson's recursion).
    /// </summary>
    /// <param name="series">The values, oldest first.</param>
    /// <param name="order">How many values back the model looks, from 1; less where the series is short.</param>
    public static double AutoRegressive(ReadOnlySpan<double> series, int order)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(order, 1);
        var n = series.Length;
        var mean = Mean(series);
        order = Math.Min(order, n / 2);
        if (order < 1)
        {
            return mean;
        }

        var correlation = new double[order + 1];
        for (var lag = 0; lag <= order; lag++)
        {
            for (var t = lag; t < n; t++)
            {
                correlation[lag] += (series[t] - mean) * (series[t - lag] - mean);
            }
        }

        var coefficients = new double[order + 1];
        var error = correlation[0];
        for (var k = 1; k <= order && error > 1e-12 * correlation[0]; k++)
        {
            var reflection = correlation[k];
            for (var i = 1; i < k; i++)
            {
                reflection -= coefficients[i] * correlation[k - i];
            }

            reflection /= error;
            var before = coefficients.ToArray();
            coefficients[k] = reflection;
            for (var i = 1; i < k; i++)
            {
                coefficients[i] = before[i] - (reflection * before[k - i]);
            }

            error *= 1 - (reflection * reflection);
        }

        var next = mean;
        for (var i = 1; i <= order; i++)
        {
            next += coefficients[i] * (series[n - i] - mean);
        }

        return next;
    }

    /// <summary>
    /// A Markov chain of one step over the series' values, rounded to two digits after the point: the mean of what followed the present value;
    /// where it never came before, of what followed the nearest one.
    /// </summary>
    public static double MarkovChain(ReadOnlySpan<double> series)
    {
        if (series.Length < 2)
        {
            return Mean(series);
        }

        var now = Math.Round(series[^1], 2);
        var nearest = double.PositiveInfinity;
        double sum = 0;
        var count = 0;
        for (var t = 0; t + 1 < series.Length; t++)
        {
            var distance = Math.Abs(Math.Round(series[t], 2) - now);
            if (distance < nearest)
            {
                (nearest, sum, count) = (distance, 0, 0);
            }

            if (distance <= nearest)
            {
                sum += series[t + 1];
                count++;
            }
        }

        return sum / count;
    }

    /// <summary>Simple exponential smoothing; of five weights the one with the least squared error over the series.</summary>
    public static double Smoothed(ReadOnlySpan<double> series)
    {
        double best = Mean(series), leastError = double.PositiveInfinity;
        foreach (var weight in Weights)
        {
            var (next, error) = Smooth(series, weight, trendWeight: 0);
            (best, leastError) = error < leastError ? (next, error) : (best, leastError);
        }

        return best;
    }

    /// <summary>Holt's smoothing of level and trend; of five weights for each the pair with the least squared error over the series.</summary>
    public static double Holt(ReadOnlySpan<double> series)
    {
        double best = Mean(series), leastError = double.PositiveInfinity;
        foreach (var weight in Weights)
        {
            foreach (var trendWeight in Weights)
            {
                var (next, error) = Smooth(series, weight, trendWeight);
                (best, leastError) = error < leastError ? (next, error) : (best, leastError);
            }
        }

        return best;
    }

    private static (double Next, double Error) Smooth(ReadOnlySpan<double> series, double weight, double trendWeight)
    {
        if (series.IsEmpty)
        {
            return (0, 0);
        }

        var level = series[0];
        var trend = trendWeight > 0 && series.Length > 1 ? series[1] - series[0] : 0;
        double squares = 0;
        for (var t = 1; t < series.Length; t++)
        {
            var error = series[t] - (level + trend);
            squares += error * error;
            var before = level;
            level += trend + (weight * error);
            trend += trendWeight * (level - before - trend);
        }

        return (level + trend, squares);
    }

    private static double Mean(ReadOnlySpan<double> series)
    {
        double sum = 0;
        foreach (var value in series)
        {
            sum += value;
        }

        return series.IsEmpty ? 0 : sum / series.Length;
    }
}
