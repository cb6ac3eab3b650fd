using System.Runtime.CompilerServices;

namespace FuncScaler.Policies.Adaptive.Choosing;

/// <summary>
/// The candidates that each function chooses among. Each candidate follows the plans made for one price of waiting. For some prices there
/// is a second candidate, which also creates instances for arrivals that the function's period foretells.
/// </summary>
internal static class Candidates
{
    /// <summary>The number of <see cref="Prices"/>.</summary>
    public const int PriceCount = 8;

    /// <summary>The number of candidates.</summary>
    public const int Count = PriceCount + PeriodicCount;

    private const int PeriodicCount = 3;

    /// <summary>The prices plans are made for, GB·s per second of waiting.</summary>
    public static readonly double[] Prices = [0.5, 1, 2, 4, 8, 16, 64, 256];

    /// <summary>The indices of the prices that also have a candidate with the period.</summary>
    private static readonly int[] Periodic = new int[PeriodicCount] { 0, 2, 4 };

    /// <summary>Whether a candidate creates instances for what the period foretells.</summary>
    public static bool IsPeriodic(int candidate) => candidate >= Prices.Length;

    /// <summary>The index of the price whose plans a candidate follows.</summary>
    public static int PlanOf(int candidate) => IsPeriodic(candidate) ? Periodic[candidate - Prices.Length] : candidate;

    /// <summary>The price of a candidate, GB·s per second of waiting.</summary>
    public static double PriceOf(int candidate) => Prices[PlanOf(candidate)];

    /// <summary>The candidates without the period whose price is from half to twice a price; else the nearest.</summary>
    public static int[] Near(double price)
    {
        int[] near = [.. Enumerable.Range(0, PriceCount).Where(i => Prices[i] >= price / 2 && Prices[i] <= price * 2)];
        return near.Length > 0 ? near : [Nearest(Prices, price)];
    }

    /// <summary>The index of the price in a list that is nearest to a given price, by ratio.</summary>
    public static int Nearest(ReadOnlySpan<double> prices, double price)
    {
        var best = 0;
        for (var i = 1; i < prices.Length; i++)
        {
            if (Math.Abs(Math.Log(prices[i] / price)) < Math.Abs(Math.Log(prices[best] / price)))
            {
                best = i;
            }
        }

        return best;
    }

    /// <summary>A value for each candidate.</summary>
    [InlineArray(Count)]
    public struct OfEach<T>
    {
        private T _first;
    }

    /// <summary>A value for each of the <see cref="Prices"/>.</summary>
    [InlineArray(PriceCount)]
    public struct OfEachPrice<T>
    {
        private T _first;
    }
}
