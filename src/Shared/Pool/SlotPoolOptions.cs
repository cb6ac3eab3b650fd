using System.Collections.Immutable;

namespace FuncScaler.Pool;

/// <summary>Limits of a <see cref="SlotPool"/>.</summary>
public sealed record SlotPoolOptions
{
    /// <summary>Times beyond this are taken to be mistakes.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(366);

    /// <summary>
    /// Whether a waiting request takes whatever comes first, a release or any new instance. When false each miss is tied to its own new
    /// instance, as in the contest's template and in most papers. Default true.
    /// </summary>
    public bool Waiting { get; init; } = true;

    /// <summary>
    /// How long to wait for the backend's answer to CreateSlot before another slot is tried; a later answer is still used. Default 30 s;
    /// above 0.
    /// </summary>
    public TimeSpan CreateTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long to wait for the backend's answer to Init. Default 10 min: the contest knows inits of 120 s; above 0.</summary>
    public TimeSpan InitTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>After this long without an answer DestroySlot is asked again. Default 60 s; above 0.</summary>
    public TimeSpan DestroyTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The first pause after a failed create or destroy; doubles with each failure in a row. Default 100 ms; from 0 on.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest pause between creates. Default 10 s; at least <see cref="RetryDelay"/>.</summary>
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The longest pause between destroys of a slot that fail. Default 5 minutes; at least <see cref="RetryDelay"/>. A platform that refuses one may do
    /// so for days; a slot that is given up would be paid for unseen.
    /// </summary>
    public TimeSpan MaxDestroyPause { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// After so many instances in a row have failed to start, requests that find no instance are told so at once, and one further instance
    /// at a time is tried while requests come. Default 5; 0 for never: then each request waits until its deadline.
    /// </summary>
    public int FailFastAfter { get; init; } = 5;

    /// <summary>
    /// How long an idle instance is kept at most once requests for its function come with another memory or runtime. Default 60 s; from 0 on.
    /// </summary>
    public TimeSpan FormerKeepAlive { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long what was learned of a function is remembered after its last instance has gone. Default 7 days; from 0 on.
    /// </summary>
    public TimeSpan ForgetAfter { get; init; } = TimeSpan.FromDays(7);

    /// <summary>
    /// Of how many functions without instances and requests that is remembered, at about 7 KB each; those unused for the longest are forgotten
    /// first. Default 20,000; from 0 on.
    /// </summary>
    public int MostRemembered { get; init; } = 20_000;

    /// <summary>
    /// An assignment that was not released within twice the function's timeout plus this is taken to be lost, and its instance is
    /// destroyed. Default 60 s; from 0 on, or <see cref="Timeout.InfiniteTimeSpan"/> for never.
    /// </summary>
    public TimeSpan AssignmentGrace { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// The same limit for functions without a timeout. Default 1 h, as long as hosted platforms let a call run: a function that executes
    /// for longer must say so by its timeout. Above 0; <see cref="Timeout.InfiniteTimeSpan"/> for none: then an instance that is never
    /// released is kept for ever.
    /// </summary>
    public TimeSpan NoTimeoutLimit { get; init; } = TimeSpan.FromHours(1);

    /// <summary>
    /// By which factor an execution may last longer when it shares its instance with others. Where executions are seen to last longer than that,
    /// fewer requests share an instance than the function allows. Default 1.5; above 1, or infinite to share as many as the function allows
    /// whatever that does to them. Has no effect on functions whose instances serve one request at a time.
    /// </summary>
    public double MostSlowdown { get; init; } = 1.5;

    /// <summary>The most slots of one function with the same memory and runtime at a time, in whatever state. Default 0: no limit.</summary>
    public int MaxSlots { get; init; }

    /// <summary>
    /// The most requests of one function with the same memory and runtime that wait at a time; further ones are told at once to come again.
    /// At least 1. Default no limit: hosts that face callers set one.
    /// </summary>
    public int MaxWaiting { get; init; } = int.MaxValue;

    /// <summary>
    /// The most requests of all functions that wait at a time. At least 1; default no limit. One function has at most as many of these places
    /// as are left for the others, so that it cannot take them all.
    /// </summary>
    public int MaxWaitingInTotal { get; init; } = int.MaxValue;

    /// <summary>
    /// What one second of a caller's waiting is worth, GB·s of memory time, to policies that weigh the two; from 0 on. Default null: it
    /// follows from the contest's score.
    /// </summary>
    public double? LatencyPriceGbs { get; init; }

    /// <summary>
    /// The same for single functions, by key; null for one whose price follows from the contest's score. Default none. Functions that are not
    /// in it have <see cref="LatencyPriceGbs"/>.
    /// </summary>
    /// <exception cref="ArgumentException">A price is below 0, or no number.</exception>
    public IReadOnlyDictionary<string, double?> LatencyPricesGbs
    {
        get;
        init
        {
            // Here and not in Validate, which each pool calls: there may be as many prices as functions.
            foreach (var (key, price) in value)
            {
                CheckPrice(price, $"{nameof(LatencyPricesGbs)} of {key}");
            }

            field = value;
        }
    } = ImmutableDictionary<string, double?>.Empty;

    /// <summary>How long a slot that the backend lists and nobody owns is left alone before it is destroyed. Default 0.</summary>
    public TimeSpan OrphanGrace { get; init; }

    /// <summary>
    /// What creating one more slot costs now beyond its memory: the seconds of waiting that it is expected to cause to later requests
    /// because the backend's calls are rationed. Default null, for a backend that rations nothing.
    /// </summary>
    public Func<double>? CreatePriceSeconds { get; init; }

    /// <summary>
    /// What a second of waiting for a function is worth now, GB·s, where that changes with time; null from it where it follows from the contest's
    /// score. Default null: <see cref="LatencyPriceGbs"/> and <see cref="LatencyPricesGbs"/> hold.
    /// </summary>
    public Func<MetaKey, double?>? PriceNowGbs { get; init; }

    /// <summary>Where slots share nodes: what holding and creating one really costs, and which one is used first. Default null: each stands for itself.</summary>
    public ISlotPlacement? Placement { get; init; }

    /// <summary>What instance ids begin with; the host makes it unique per process. Default "i-".</summary>
    public string InstancePrefix { get; init; } = "i-";

    /// <summary>What a second of waiting for a function is worth, GB·s; null where it follows from the contest's score.</summary>
    internal double? PriceGbs(MetaKey function) => LatencyPricesGbs.TryGetValue(function.Value, out var own) ? own : LatencyPriceGbs;

    /// <summary>The pause after so many failures in a row, µs; none in a row is one that came late.</summary>
    internal long RetryPauseUs(int failures) => PauseUs(failures, MaxRetryDelay);

    internal long DestroyPauseUs(int failures) => PauseUs(failures, MaxDestroyPause);

    /// <summary>How long a request may hold an instance of a function before it is taken to be lost, µs; null for ever.</summary>
    /// <param name="function">The function.</param>
    public long? AssignmentLimitUs(FunctionMeta function)
    {
        ArgumentNullException.ThrowIfNull(function);
        var limit = function.TimeoutSeconds > 0 ? AssignmentGrace : NoTimeoutLimit;
        return limit == Timeout.InfiniteTimeSpan ? null : (2_000_000L * function.TimeoutSeconds) + limit.ToUs();
    }

    /// <exception cref="ArgumentException">A setting is out of its range; the message says which, what it is and what it may be.</exception>
    public void Validate()
    {
        Check(CreateTimeout > TimeSpan.Zero, nameof(CreateTimeout), CreateTimeout, "above 0");
        Check(InitTimeout > TimeSpan.Zero, nameof(InitTimeout), InitTimeout, "above 0");
        Check(DestroyTimeout > TimeSpan.Zero, nameof(DestroyTimeout), DestroyTimeout, "above 0");
        Check(RetryDelay >= TimeSpan.Zero, nameof(RetryDelay), RetryDelay, "0 or more");
        Check(MaxRetryDelay >= RetryDelay, nameof(MaxRetryDelay), MaxRetryDelay, $"at least {nameof(RetryDelay)}, {RetryDelay}");
        Check(MaxDestroyPause >= RetryDelay, nameof(MaxDestroyPause), MaxDestroyPause, $"at least {nameof(RetryDelay)}, {RetryDelay}");
        Check(AssignmentGrace >= TimeSpan.Zero || AssignmentGrace == Timeout.InfiniteTimeSpan, nameof(AssignmentGrace), AssignmentGrace, "0 or more, or infinite");
        Check(NoTimeoutLimit > TimeSpan.Zero || NoTimeoutLimit == Timeout.InfiniteTimeSpan, nameof(NoTimeoutLimit), NoTimeoutLimit, "above 0, or infinite");
        Check(FormerKeepAlive >= TimeSpan.Zero, nameof(FormerKeepAlive), FormerKeepAlive, "0 or more");
        Check(ForgetAfter >= TimeSpan.Zero, nameof(ForgetAfter), ForgetAfter, "0 or more");
        Check(OrphanGrace >= TimeSpan.Zero, nameof(OrphanGrace), OrphanGrace, "0 or more");
        if (!(MostSlowdown > 1))
        {
            throw new ArgumentException($"{nameof(MostSlowdown)} is {MostSlowdown} and must be above 1.");
        }

        if (MaxSlots < 0)
        {
            throw new ArgumentException($"{nameof(MaxSlots)} is {MaxSlots} and must be 0, for no limit, or more.");
        }

        if (MaxWaiting < 1 || MaxWaitingInTotal < 1)
        {
            throw new ArgumentException($"{nameof(MaxWaiting)} is {MaxWaiting} and {nameof(MaxWaitingInTotal)} is {MaxWaitingInTotal}; both must be 1 or more.");
        }

        if (MostRemembered < 0)
        {
            throw new ArgumentException($"{nameof(MostRemembered)} is {MostRemembered} and must be 0 or more.");
        }

        if (FailFastAfter < 0)
        {
            throw new ArgumentException($"{nameof(FailFastAfter)} is {FailFastAfter} and must be 0, for never, or more.");
        }

        CheckPrice(LatencyPriceGbs, nameof(LatencyPriceGbs));

        static void Check(bool holds, string name, TimeSpan value, string range)
        {
            if (!holds || value > Longest)
            {
                throw new ArgumentException($"{name} is {value} and must be {range}, and at most {Longest.Days} days.");
            }
        }
    }

    private long PauseUs(int failures, TimeSpan longest) => Math.Min(longest.ToUs(), RetryDelay.ToUs() << Math.Clamp(failures - 1, 0, 20));

    private static void CheckPrice(double? priceGbs, string name)
    {
        if (priceGbs is { } price && !(price >= 0 && double.IsFinite(price)))
        {
            throw new ArgumentException($"{name} is {price} GB·s and must be 0 or more.");
        }
    }
}

/// <summary>Times of options, as the cores count.</summary>
internal static class OptionTimes
{
    /// <summary>The whole of it, µs.</summary>
    public static long ToUs(this TimeSpan time) => time.Ticks / TimeSpan.TicksPerMicrosecond;
}
