namespace FuncScaler.Pool;

/// <summary>
/// What an operator says of two functions: a request for one is followed by requests for the other. The core has instances ready for them by then,
/// whatever the policy wants, as it has for <see cref="FunctionLimits.MinInstances"/>.
/// </summary>
/// <param name="Parent">The function whose requests come first.</param>
/// <param name="Child">The function that is called then. It may be the parent itself, and groups may form circles: only a request that has come counts.</param>
/// <param name="FanOut">How many requests of the child follow one of the parent, 1 to <see cref="MostFanOut"/>.</param>
public sealed record FunctionGroup(MetaKey Parent, MetaKey Child, int FanOut)
{
    /// <summary>The most requests that can be said to follow one.</summary>
    public const int MostFanOut = 1000;

    /// <summary>The most groups that a function may be in as a parent, and as a child: so much may be done at each of its requests.</summary>
    public const int MostOfFunction = 100;

    /// <summary>The longest delay that can be said or is learned.</summary>
    public static readonly TimeSpan LongestDelay = TimeSpan.FromHours(1);

    /// <summary>
    /// How long after the parent's request the child's come, 0 to <see cref="LongestDelay"/>. Those that are seen to come earlier or later are prepared for
    /// and waited for too; null for nothing but what is seen. Default null.
    /// </summary>
    public TimeSpan? Delay { get; init; }

    /// <summary>
    /// The settings of the child's instances, so that there are some before its first request; null where they come with that. Default null.
    /// </summary>
    public FunctionMeta? ChildSettings { get; init; }

    /// <exception cref="ArgumentException">The fan-out or the delay is out of its range; says which.</exception>
    public void Validate()
    {
        if (FanOut is < 1 or > MostFanOut)
        {
            throw new ArgumentException(FormattableString.Invariant($"{nameof(FanOut)} is {FanOut} and must be 1 to {MostFanOut}."));
        }

        if (Delay is { } delay && (delay < TimeSpan.Zero || delay > LongestDelay))
        {
            throw new ArgumentException(FormattableString.Invariant($"{nameof(Delay)} is {delay} and must be 0 to {LongestDelay}."));
        }
    }
}
