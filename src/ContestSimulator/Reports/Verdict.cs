using System.Globalization;
using FuncScaler.ContestSimulator.Virtual;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>Says in sentences which policy is best by which measure, how far the bound is, and at which prices which policy costs least.</summary>
public sealed class Verdict
{
    private static readonly string[] Judged = ["score", "cost", "money", "rum", "scheduleMeanMs", "scheduleP95Ms", "wastedGbSeconds"];

    private Verdict(IReadOnlyList<Best> best, IReadOnlyList<CheapestRange> cheapest) => (BestBy, Cheapest) = (best, cheapest);

    /// <summary>For each measure that is judged by: the best policy.</summary>
    public IReadOnlyList<Best> BestBy { get; }

    /// <summary>Which policy costs least at which price of a second's waiting, from price 0 on: memory, creates, and waits at the price.</summary>
    public IReadOnlyList<CheapestRange> Cheapest { get; }

    /// <summary>Judges the results of one trace.</summary>
    /// <param name="results">The results; of equal ones the first is best.</param>
    /// <param name="bound">The bound of the same trace.</param>
    /// <param name="prices">The prices that the measures take.</param>
    public static Verdict Of(IReadOnlyList<VirtualResult> results, ClairvoyantBound bound, MeasurePrices prices)
    {
        ArgumentNullException.ThrowIfNull(results);
        ArgumentNullException.ThrowIfNull(bound);
        var best = results.Count == 0
            ? []
            : Measures.All(prices)
                .Where(m => Judged.Contains(m.Name))
                .Select(m => new Best(m, m.MoreIsBetter ? results.MaxBy(m.Of)! : results.MinBy(m.Of)!, m.OfBound(bound)))
                .ToList();
        return new Verdict(best, [.. CheapestByPrice(results, prices)]);
    }

    /// <summary>The judgement as sentences; none where there are fewer than two results to compare.</summary>
    public IEnumerable<string> Sentences()
    {
        foreach (var group in BestBy.GroupBy(b => b.Result.Policy))
        {
            yield return $"{group.Key} is best by {Enumerate(group.Select(Describe))}.";
        }

        if (Cheapest.Count > 0)
        {
            yield return "Least memory time plus waits at a price: " + Enumerate(Cheapest.Select(Describe)) + " (GB·s per second of waiting).";
        }
    }

    private static string Describe(Best best)
    {
        var bound = best.Bound is { } value ? $", bound {best.Measure.Write(value)}" : "";
        return $"{best.Measure.Title} ({best.Measure.Write(best.Measure.Of(best.Result))}{bound})";
    }

    private static string Describe(CheapestRange range) => (range.FromPriceGbs, range.ToPriceGbs) switch
    {
        (0, null) => $"{range.Policy} at every price",
        (0, { } to) => $"{range.Policy} below {Price(to)}",
        ({ } from, null) => $"{range.Policy} above {Price(from)}",
        ({ } from, { } to) => $"{range.Policy} from {Price(from)} to {Price(to)}",
    };

    private static string Price(double gbs) => gbs.ToString(gbs < 10 ? "0.##" : "#,0", CultureInfo.InvariantCulture);

    private static string Enumerate(IEnumerable<string> parts)
    {
        string[] all = [.. parts];
        return all.Length < 2 ? string.Concat(all) : string.Join(", ", all[..^1]) + " and " + all[^1];
    }

    /// <summary>The lower envelope of the costs, which are straight lines over the price.</summary>
    private static IEnumerable<CheapestRange> CheapestByPrice(IReadOnlyList<VirtualResult> results, MeasurePrices prices)
    {
        if (results.Count == 0)
        {
            yield break;
        }

        var lines = results
            .Select(r => (r.Policy, AtZero: Measures.Cost(r, 0, prices), Slope: r.Score.AssignSeconds + r.Score.IdleSeconds))
            .OrderBy(l => l.AtZero)
            .ThenBy(l => l.Slope)
            .ToArray();
        var now = lines[0];
        double from = 0;
        while (true)
        {
            var next = now;
            var to = double.PositiveInfinity;
            foreach (var line in lines)
            {
                if (line.Slope < now.Slope && (line.AtZero - now.AtZero) / (now.Slope - line.Slope) is var at
                    && (at < to || (at == to && line.Slope < next.Slope)))
                {
                    (next, to) = (line, at);
                }
            }

            if (double.IsPositiveInfinity(to))
            {
                yield return new CheapestRange(now.Policy, from, null);
                yield break;
            }

            if (to > from)
            {
                yield return new CheapestRange(now.Policy, from, to);
            }

            (now, from) = (next, to);
        }
    }

    /// <summary>The best result by a measure.</summary>
    /// <param name="Measure">The measure.</param>
    /// <param name="Result">The result that is best by it.</param>
    /// <param name="Bound">What no scaler betters; null where that is not known.</param>
    public sealed record Best(Measure Measure, VirtualResult Result, double? Bound);

    /// <summary>A range of prices in which a policy costs least.</summary>
    /// <param name="Policy">The policy.</param>
    /// <param name="FromPriceGbs">From this price on, GB·s per second of waiting.</param>
    /// <param name="ToPriceGbs">Up to this price; null for no end.</param>
    public sealed record CheapestRange(string Policy, double FromPriceGbs, double? ToPriceGbs);
}
