using FuncScaler.SlotBackends.Budget;

namespace FuncScaler.Runtime.Service.Frames;

/// <summary>
/// Counts one connection's frames that cost their sender nothing: streams that are opened and reset at once, pings and settings, each of which has
/// to be answered, and priorities. Kestrel limits what is open at a time, not how often.
/// </summary>
/// <remarks>
/// All the callers of a gateway may leave at once, so that as many resets may come together as a connection has streams. gRPC clients ping a
/// few times a second at most, and send their settings once.
/// </remarks>
/// <param name="time">The clock.</param>
public sealed class FrameLimits(TimeProvider time)
{
    private readonly TokenBuckets _resets = new([Resets], time);
    private readonly TokenBuckets _controls = new([Controls], time);

    /// <summary>
    /// Resets of streams that are older are not counted. Callers whose deadline passes reset their streams too, all of them in an overload, and no
    /// connection may have more open streams than the server allows.
    /// </summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <summary>RST_STREAM frames of one connection for streams that are younger than half a second: 20,000 at once, 1,000 a second.</summary>
    public static RateLimit Resets { get; } = new(20_000, TimeSpan.FromSeconds(20));

    /// <summary>PING, SETTINGS and PRIORITY frames of one connection, together: 1,000 at once, 100 a second.</summary>
    public static RateLimit Controls { get; } = new(1_000, TimeSpan.FromSeconds(10));

    /// <summary>Counts a frame; false for one too many.</summary>
    /// <param name="type">What it is.</param>
    /// <param name="age">How long ago its stream was opened, at least.</param>
    internal bool TryTake(FrameType type, TimeSpan age) => type switch
    {
        FrameType.Priority or FrameType.Settings or FrameType.Ping => _controls.TryTake(out _),
        FrameType.Reset => age >= Patience || _resets.TryTake(out _),
        _ => true,
    };
}
