using System.Numerics;

namespace FuncScaler.Statistics;

/// <summary>
/// Forecasts the next value of a series as a polynomial trend plus its strongest harmonics: f(t) = a t² + b t + c + sum of A cos(w t + p).
/// The trend is fitted first, the harmonics are those of the discrete Fourier transform of what it leaves, as in IceBreaker.
/// </summary>
public static class HarmonicForecast
{
    /// <summary>The value after the last one.</summary>
    /// <param name="series">The values, oldest first.</param>
    /// <param name="harmonics">How many harmonics to extrapolate, the strongest first; from 0.</param>
    /// <param name="trendDegree">The trend's degree, 0 to 2; less where the series is too short for it.</param>
    /// <returns>The forecast; 0 for an empty series.</returns>
    public static double Next(ReadOnlySpan<double> series, int harmonics, int trendDegree)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(harmonics);
        ArgumentOutOfRangeException.ThrowIfNegative(trendDegree);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(trendDegree, 2);
        var n = series.Length;
        if (n == 0)
        {
            return 0;
        }

        var (constant, linear, square) = Trend(series, trendDegree);
        var middle = (n - 1) / 2.0;
        var rest = new Complex[n];
        for (var t = 0; t < n; t++)
        {
            rest[t] = series[t] - At(t - middle);
        }

        var spectrum = Transform(rest);
        var strongest = Enumerable.Range(1, n / 2).OrderByDescending(k => Weight(k) * spectrum[k].Magnitude).Take(harmonics);

        // Every harmonic has come round to its beginning at t = n: its value there is its value at 0, A cos(p), the real part.
        var periodic = spectrum[0].Real / n;
        foreach (var k in strongest)
        {
            periodic += Weight(k) * spectrum[k].Real / n;
        }

        return At(n - middle) + periodic;

        double At(double t) => constant + (linear * t) + (square * t * t);

        // A frequency and its mirror image, which for the highest one of an even length is itself.
        int Weight(int k) => 2 * k == n ? 1 : 2;
    }

    /// <summary>The discrete Fourier transform of any length: O(n times the sum of n's prime factors).</summary>
    public static Complex[] Transform(ReadOnlySpan<Complex> values)
    {
        var n = values.Length;
        var factor = SmallestFactor(n);
        var result = new Complex[n];
        if (factor == n)
        {
            for (var k = 0; k < n; k++)
            {
                for (var t = 0; t < n; t++)
                {
                    result[k] += values[t] * Turn(k * t, n);
                }
            }

            return result;
        }

        var partLength = n / factor;
        var part = new Complex[partLength];
        for (var offset = 0; offset < factor; offset++)
        {
            for (var i = 0; i < partLength; i++)
            {
                part[i] = values[(i * factor) + offset];
            }

            var spectrum = Transform(part);
            for (var k = 0; k < n; k++)
            {
                result[k] += spectrum[k % partLength] * Turn(offset * k, n);
            }
        }

        return result;
    }

    private static Complex Turn(int numerator, int n) => Complex.FromPolarCoordinates(1, -2 * Math.PI * (numerator % n) / n);

    private static int SmallestFactor(int n)
    {
        for (var factor = 2; factor * factor <= n; factor++)
        {
            if (n % factor == 0)
            {
                return factor;
            }
        }

        return n;
    }

    /// <summary>Least squares around the middle of the series, where odd sums vanish and the equations come apart.</summary>
    private static (double Constant, double Linear, double Square) Trend(ReadOnlySpan<double> series, int degree)
    {
        var n = series.Length;
        double sum = 0, sumT = 0, sumT2 = 0, t2 = 0, t4 = 0;
        for (var i = 0; i < n; i++)
        {
            var t = i - ((n - 1) / 2.0);
            sum += series[i];
            sumT += series[i] * t;
            sumT2 += series[i] * t * t;
            t2 += t * t;
            t4 += t * t * t * t;
        }

        var linear = degree >= 1 && n >= 2 ? sumT / t2 : 0;
        var square = degree >= 2 && n >= 3 ? ((n * sumT2) - (t2 * sum)) / ((n * t4) - (t2 * t2)) : 0;
        return ((sum - (square * t2)) / n, linear, square);
    }
}
