using System.Globalization;

namespace FuncScaler.Tests;

/// <summary>
/// How many random schedules the simulations play: FUNCSCALER_SCHEDULES, from the seed FUNCSCALER_SCHEDULE_SEED on. With 1 and the seed of
/// a failure exactly that one is played.
/// </summary>
internal static class Schedules
{
    /// <summary>How many; 300, or 100,000 in long runs, unless told otherwise.</summary>
    public static long Count => TestLength.Count("FUNCSCALER_SCHEDULES", 300, 100_000);

    /// <summary>The first seed; 1 unless told otherwise.</summary>
    public static long First => Number("FUNCSCALER_SCHEDULE_SEED", 1);

    /// <summary>The lowest of so many seeds, from the first on, whose play throws; null for none.</summary>
    public static long? FirstFailure(long first, long count, Action<long> play)
    {
        var lowest = long.MaxValue;
        var gate = new Lock();
        Parallel.For(first, first + count, (seed, loop) =>
        {
            try
            {
                play(seed);
            }
            catch (Exception)
            {
                lock (gate)
                {
                    lowest = Math.Min(lowest, seed);
                }

                loop.Break();
            }
        });
        return lowest == long.MaxValue ? null : lowest;
    }

    private static long Number(string variable, long otherwise) =>
        long.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : otherwise;
}
