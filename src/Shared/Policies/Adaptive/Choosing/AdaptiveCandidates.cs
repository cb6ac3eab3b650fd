using System.Runtime.CompilerServices;

namespace FuncScaler.Policies.Adaptive.Choosing;

/// <summary>
/// What each function chooses among: plans made for a price of waiting, some of them with instances for arrivals that the function's period
/// foretells.
/// </summary>
internal static class AdaptiveCandidates
{
    /// <summary>The number of <see cref="Prices"/>.</summary>
    public const int PriceCount = 8;

    /// <summary>The number of candidates.</summary>
    public const int Count = PriceCount + TimedCount;

    private const int TimedCount = 3;

    /// <summary>Prices plans are made for, GBs per second of waiting.</summary>
    public static readonly double[] Prices = [0.5, 1, 2, 4, 8, 16, 64, 256];

    /// <summary>Which of the prices are there with the period too.</summary>
    private static readonly int[] Timed = new int[TimedCount] { 0, 2, 4 };

    /// <summary>Whether instances are created for what the period foretells.</summary>
    public static bool IsTimed(int candidate) => candidate >= Prices.Length;

    /// <summary>Which price's plan a candidate follows.</summary>
    public static int PlanOf(int candidate) => IsTimed(candidate) ? Timed[candidate - Prices.Length] : candidate;

    /// <summary>The price a candidate weighs waiting with, GBs per second.</summary>
    public static double PriceOf(int candidate) => Prices[PlanOf(candidate)];

    /// <summary>The candidates whose price is at least half of a price and at most twice as much; else the nearest. None for the period.</summary>
    public static int[] Near(double price)
    {
        int[] near = [.. Enumerable.Range(0, PriceCount).Where(i => Prices[i] >= price / 2 && Prices[i] <= price * 2)];
        return near.Length > 0 ? near : [Nearest(Prices, price)];
    }

    /// <summary>The nearest of a list of prices, by ratio.</summary>
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

    /// <summary>Something for each candidate.</summary>
    [InlineArray(Count)]
    public struct OfEach<T>
    {
        private T _first;
    }

    /// <summary>Something for each of the <see cref="Prices"/>.</summary>
    [InlineArray(PriceCount)]
    public struct OfEachPrice<T>
    {
        private T _first;
    }
}
