using System.Text.Json;
using System.Text.Json.Serialization;

namespace FuncScaler.Leasing.Ledger;

/// <summary>
/// Past requests of a function, from which statistics and policies of any kind are learned again: exact for the latest, while of older ones
/// a busy period without a pause of a second is remembered as one request. So rare long gaps outlive frequent short ones. About 2 KB.
/// </summary>
[JsonConverter(typeof(ActivityHistoryConverter))]
public sealed class ActivityHistory
{
    /// <summary>The most events kept; a request is two.</summary>
    public const int Capacity = 512;

    /// <summary>Gaps from this length on survive thinning, µs.</summary>
    public const long PauseUs = 1_000_000;

    private readonly List<ActivityEvent> _events = [];

    /// <summary>The events, oldest first.</summary>
    public IReadOnlyList<ActivityEvent> Events => _events;

    /// <summary>Create times seen and their mean, µs.</summary>
    public (long Count, double MeanUs) Create { get; set; }

    /// <summary>Init times seen and their mean, µs.</summary>
    public (long Count, double MeanUs) Init { get; set; }

    public void Add(ActivityEvent happened)
    {
        _events.Add(happened);
        if (_events.Count > Capacity)
        {
            Thin();
        }
    }

    private void Thin()
    {
        const int old = Capacity / 2;
        var kept = new List<ActivityEvent>(Capacity);
        var active = 0;
        for (var i = 0; i < old; i++)
        {
            var e = _events[i];
            if (e.Came)
            {
                // The first of a busy period, unless the period before it ended a moment ago: then they are one.
                if (active++ == 0)
                {
                    if (kept.Count > 0 && !kept[^1].Came && e.AtUs - kept[^1].AtUs < PauseUs)
                    {
                        kept.RemoveAt(kept.Count - 1);
                    }
                    else
                    {
                        kept.Add(e);
                    }
                }
            }
            else if (active > 0 && --active == 0)
            {
                kept.Add(e with { ExecutedUs = kept[^1].Came ? e.ExecutedUs : 0 });
            }
        }

        // What is still active after the old half goes on in the new one, whose ends need its arrivals.
        for (var i = active > 0 ? 1 : 0; i < active; i++)
        {
            kept.Add(new ActivityEvent(kept[^1].AtUs, ActivityEvent.Arrival));
        }

        if (kept.Count > old * 3 / 4)
        {
            kept.RemoveRange(0, (kept.Count - (old / 2)) & ~1);
        }

        kept.AddRange(_events.Skip(old));
        _events.Clear();
        _events.AddRange(kept);
    }
}

/// <summary>A request came, or went.</summary>
/// <param name="AtUs">When, µs.</param>
/// <param name="ExecutedUs"><see cref="Arrival"/>, or how long it executed, µs; 0 when unknown or never.</param>
public readonly record struct ActivityEvent(long AtUs, long ExecutedUs)
{
    public const long Arrival = -1;

    public bool Came => ExecutedUs == Arrival;
}

/// <summary>Times as differences in 7-bit groups, all of it as base64.</summary>
internal sealed class ActivityHistoryConverter : JsonConverter<ActivityHistory>
{
    public override ActivityHistory Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var history = new ActivityHistory();
        using var stream = new BinaryReader(new MemoryStream(reader.GetBytesFromBase64()));
        history.Create = (stream.Read7BitEncodedInt64(), stream.ReadDouble());
        history.Init = (stream.Read7BitEncodedInt64(), stream.ReadDouble());
        long atUs = 0;
        for (var left = stream.Read7BitEncodedInt(); left > 0; left--)
        {
            atUs += stream.Read7BitEncodedInt64();
            history.Add(new ActivityEvent(atUs, stream.Read7BitEncodedInt64() - 1));
        }

        return history;
    }

    public override void Write(Utf8JsonWriter writer, ActivityHistory value, JsonSerializerOptions options)
    {
        using var memory = new MemoryStream();
        using var stream = new BinaryWriter(memory);
        stream.Write7BitEncodedInt64(value.Create.Count);
        stream.Write(value.Create.MeanUs);
        stream.Write7BitEncodedInt64(value.Init.Count);
        stream.Write(value.Init.MeanUs);
        stream.Write7BitEncodedInt(value.Events.Count);
        long atUs = 0;
        foreach (var e in value.Events)
        {
            stream.Write7BitEncodedInt64(e.AtUs - atUs);
            stream.Write7BitEncodedInt64(e.ExecutedUs + 1);
            atUs = e.AtUs;
        }

        stream.Flush();
        writer.WriteBase64StringValue(memory.GetBuffer().AsSpan(0, (int)memory.Length));
    }
}
