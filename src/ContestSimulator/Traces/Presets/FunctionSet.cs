namespace FuncScaler.ContestSimulator.Traces.Presets;

/// <summary>A curve through points, straight between them on logarithmic scales of both axes.</summary>
internal sealed class LogCurve(params (double X, double Y)[] points)
{
    public double At(double x)
    {
        if (x <= points[0].X)
        {
            return points[0].Y;
        }

        for (var i = 1; i < points.Length; i++)
        {
            var (x0, y0) = points[i - 1];
            var (x1, y1) = points[i];
            if (x <= x1)
            {
                return y0 * Math.Exp(Math.Log(y1 / y0) * Math.Log(x / x0) / Math.Log(x1 / x0));
            }
        }

        return points[^1].Y;
    }
}

/// <summary>A quantile function through points; straight in the share, logarithmic in the value.</summary>
internal sealed class Quantiles(params (double Share, double Value)[] points)
{
    public double At(double share)
    {
        for (var i = 1; i < points.Length; i++)
        {
            var (s0, v0) = points[i - 1];
            var (s1, v1) = points[i];
            if (share <= s1)
            {
                return v0 * Math.Exp(Math.Log(v1 / v0) * Math.Max(0, share - s0) / (s1 - s0));
            }
        }

        return points[^1].Value;
    }
}

/// <summary>What functions of one runtime are like.</summary>
/// <param name="Runtime">The runtime's name.</param>
/// <param name="Count">How many functions have it.</param>
/// <param name="InitMs">Their init durations, ms.</param>
/// <param name="MemoryWeights">Their memory sizes, MB, each with its weight; in ascending order.</param>
internal sealed record RuntimeClass(string Runtime, int Count, Quantiles InitMs, (int MemoryMb, double Weight)[] MemoryWeights);

/// <summary>One function as drawn, before it is calibrated.</summary>
internal sealed class DrawnFunction
{
    public required string Runtime { get; init; }

    public required long InitMs { get; init; }

    public required int MemoryMb { get; set; }

    /// <summary>Its requests in one nominal span of the preset; 0 when it is never called.</summary>
    public double Count { get; set; }

    public double MeanMs { get; set; }

    public double Sigma { get; set; }
}

/// <summary>
/// Draws sets of functions. Everything is drawn from strata (one draw from each of n equal shares), so that a set has the distribution's
/// shape itself, not only in the mean over many seeds.
/// </summary>
internal static class FunctionSet
{
    private const double LeastScale = 0.4;
    private const double GreatestScale = 2.5;
    private const int LargestSmallMemoryMb = 256;

    /// <summary>Draws functions of every runtime, in random order.</summary>
    public static DrawnFunction[] Draw(IEnumerable<RuntimeClass> classes, TraceRandom random)
    {
        var functions = new List<DrawnFunction>();
        foreach (var c in classes)
        {
            var inits = Strata(c.Count, random);
            var memories = Strata(c.Count, random);
            functions.AddRange(Enumerable.Range(0, c.Count).Select(i => new DrawnFunction
            {
                Runtime = c.Runtime,
                InitMs = (long)Math.Round(c.InitMs.At(inits[i])),
                MemoryMb = Pick(c.MemoryWeights, memories[i]),
            }));
        }

        var shuffled = functions.ToArray();
        random.Shuffle<DrawnFunction>(shuffled);
        return shuffled;
    }

    /// <summary>One draw from each of <paramref name="count"/> equal shares of [0, 1), in random order.</summary>
    public static double[] Strata(int count, TraceRandom random)
    {
        var strata = new double[count];
        for (var i = 0; i < count; i++)
        {
            strata[i] = (i + random.Next()) / count;
        }

        random.Shuffle<double>(strata);
        return strata;
    }

    /// <summary>
    /// Scales the mean durations of <paramref name="scaled"/>, by one factor where memory is small and by another where it is large, so that
    /// all functions together have the wanted execution and GB·s.
    /// </summary>
    /// <returns>False, and nothing changed, when that would take factors outside 0.4 to 2.5.</returns>
    public static bool TryCalibrate(
        IEnumerable<DrawnFunction> all, IReadOnlyCollection<DrawnFunction> scaled, double executionSeconds, double gbSeconds)
    {
        var chosen = scaled.ToHashSet();
        double smallS = 0, smallGbs = 0, largeS = 0, largeGbs = 0;
        foreach (var f in all)
        {
            var seconds = f.Count * f.MeanMs / 1000;
            var gbs = seconds * f.MemoryMb / 1024;
            if (!chosen.Contains(f))
            {
                executionSeconds -= seconds;
                gbSeconds -= gbs;
            }
            else if (f.MemoryMb <= LargestSmallMemoryMb)
            {
                smallS += seconds;
                smallGbs += gbs;
            }
            else
            {
                largeS += seconds;
                largeGbs += gbs;
            }
        }

        var determinant = (smallS * largeGbs) - (largeS * smallGbs);
        var small = ((executionSeconds * largeGbs) - (gbSeconds * largeS)) / determinant;
        var large = ((smallS * gbSeconds) - (smallGbs * executionSeconds)) / determinant;
        if (small is not (>= LeastScale and <= GreatestScale) || large is not (>= LeastScale and <= GreatestScale))
        {
            return false;
        }

        foreach (var f in chosen)
        {
            f.MeanMs *= f.MemoryMb <= LargestSmallMemoryMb ? small : large;
        }

        return true;
    }

    /// <summary>What a trace tells of the functions, with keys that mean nothing; both editions have the same keys.</summary>
    public static TraceFunction[] ToTraceFunctions(
        IReadOnlyList<DrawnFunction> functions, int timeoutSeconds, PresetEdition edition, TraceRandom random)
    {
        var keys = functions.Select(_ => new MetaKey(random.NextHex(40))).ToArray();
        var longInitsMs = edition == PresetEdition.Long ? LongEdition.DrawInitsMs(functions.Count, random) : null;
        return
        [
            .. functions.Select((f, i) => new TraceFunction(
                new FunctionMeta(keys[i], f.Runtime, timeoutSeconds, f.MemoryMb), 1000 * (longInitsMs?[i] ?? f.InitMs))),
        ];
    }

    private static int Pick((int MemoryMb, double Weight)[] weights, double share)
    {
        var left = share * weights.Sum(w => w.Weight);
        foreach (var (memoryMb, weight) in weights)
        {
            left -= weight;
            if (left < 0)
            {
                return memoryMb;
            }
        }

        return weights[^1].MemoryMb;
    }
}
