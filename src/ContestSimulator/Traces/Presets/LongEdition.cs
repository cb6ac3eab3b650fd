namespace FuncScaler.ContestSimulator.Traces.Presets;

/// <summary>The opposite cost regime: slow starts and slow executions over the same arrivals.</summary>
internal static class LongEdition
{
    /// <summary>How many times longer the executions of controllers are: 18 to 55 ms become 1.8 to 5.5 s.</summary>
    public const double ControllerFactor = 100;

    /// <summary>Durations of Init, ms: spread evenly over 15 to 29 s.</summary>
    public static long[] DrawInitsMs(int count, TraceRandom random) => ControllerInits.Draw(count, 15_000, 29_000, random);

    /// <summary>Executions, longer by a constant of the function's, 1 to 5 s; their spread stays.</summary>
    public static DurationModel Slow(DurationModel model, TraceRandom random) => model with { AddMs = Math.Round(random.Next(1000, 5000)) };
}
