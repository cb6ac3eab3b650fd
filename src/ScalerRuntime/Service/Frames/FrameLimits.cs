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

    /// <summary>RST_STREAM frames of one connection: 20,000 at once, 1,000 a second.</summary>
    public static RateLimit Resets { get; } = new(20_000, TimeSpan.FromSeconds(20));

    /// <summary>PING, SETTINGS and PRIORITY frames of one connection, together: 1,000 at once, 100 a second.</summary>
    public static RateLimit Controls { get; } = new(1_000, TimeSpan.FromSeconds(10));

    /// <summary>Counts a frame; false for one too many.</summary>
    internal bool TryTake(FrameType type) => type switch
    {
        FrameType.Priority or FrameType.Settings or FrameType.Ping => _controls.TryTake(out _),
        FrameType.Reset => _resets.TryTake(out _),
        _ => true,
    };
}
