namespace FuncScaler.Leasing.Ledger;

/// <summary>
/// A rate limit as a value: so many at once, so many per minute after that. Who takes more than there is is told when it will be there.
/// </summary>
/// <param name="Taken">Taken and not yet refilled, as of <paramref name="AtUs"/>.</param>
/// <param name="AtUs">When that was, µs.</param>
public readonly record struct CreateBudget(double Taken, long AtUs)
{
    /// <summary>Takes one.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="burst">So many at once; at least 1.</param>
    /// <param name="perMinute">So many per minute; above 0.</param>
    /// <param name="notBeforeUs">When it may be used, µs.</param>
    /// <returns>What is left.</returns>
    public CreateBudget Take(long nowUs, int burst, double perMinute, out long notBeforeUs)
    {
        var perUs = perMinute / 60e6;
        var taken = Math.Max(0, Taken - (Math.Max(0, nowUs - AtUs) * perUs)) + 1;
        notBeforeUs = taken <= burst ? nowUs : nowUs + (long)Math.Ceiling((taken - burst) / perUs);
        return new CreateBudget(taken, Math.Max(nowUs, AtUs));
    }
}
