using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;

namespace FuncScaler.Leasing;

/// <summary>The JSON of everything that travels or stays: short, by generated code, with older formats understood.</summary>
public static class LeasingJson
{
    /// <summary>Writes a ledger in the current format.</summary>
    public static string Write(LedgerState state) => JsonSerializer.Serialize(state, LeasingJsonContext.Default.LedgerState);

    /// <summary>Reads a ledger of this or an earlier format.</summary>
    /// <exception cref="FormatException">It is no ledger, or one of a later format.</exception>
    public static LedgerState ReadLedger(string json)
    {
        JsonNode? node;
        try
        {
            node = JsonNode.Parse(json);
        }
        catch (JsonException e)
        {
            throw new FormatException($"A ledger must be JSON: {e.Message}", e);
        }

        return ReadLedger(node);
    }

    public static string Write(WorkerReport report) => JsonSerializer.Serialize(report, LeasingJsonContext.Default.WorkerReport);

    public static WorkerReport ReadReport(string json) => JsonSerializer.Deserialize(json, LeasingJsonContext.Default.WorkerReport)!;

    public static string Write(LedgerView view) => JsonSerializer.Serialize(view, LeasingJsonContext.Default.LedgerView);

    public static LedgerView ReadView(string json) => JsonSerializer.Deserialize(json, LeasingJsonContext.Default.LedgerView)!;

    public static string Write(WorkerBeat beat) => JsonSerializer.Serialize(beat, LeasingJsonContext.Default.WorkerBeat);

    public static WorkerBeat ReadBeat(string json) => JsonSerializer.Deserialize(json, LeasingJsonContext.Default.WorkerBeat)!;

    public static string Write(WorkerState state) => JsonSerializer.Serialize(state, LeasingJsonContext.Default.WorkerState);

    public static WorkerState ReadWorker(string json) => JsonSerializer.Deserialize(json, LeasingJsonContext.Default.WorkerState)!;

    internal static LedgerState ReadLedger(JsonNode? node)
    {
        if (node is not JsonObject ledger || ledger["format"] is not JsonValue value || !value.TryGetValue<int>(out var format))
        {
            throw new FormatException("A ledger must be a JSON object with a number 'format'.");
        }

        if (format is < 1 or > LedgerState.CurrentFormat)
        {
            throw new FormatException(
                $"The ledger has format {format}, this version reads 1 to {LedgerState.CurrentFormat}: deploy the version that wrote it, or a later one.");
        }

        if (format == 1)
        {
            LedgerUpgrade.From1(ledger);
        }

        if (format <= 2)
        {
            LedgerUpgrade.From2(ledger);
        }

        if (format <= 3)
        {
            LedgerUpgrade.From3(ledger);
        }

        return ledger.Deserialize(LeasingJsonContext.Default.LedgerState)!;
    }
}

/// <summary>A ledger as a serialiser's value: whichever serialiser writes and reads it uses <see cref="LeasingJson"/>.</summary>
[JsonConverter(typeof(LedgerDocumentConverter))]
public sealed record LedgerDocument(LedgerState State);

/// <summary>A worker's ledger likewise.</summary>
[JsonConverter(typeof(WorkerDocumentConverter))]
public sealed record WorkerDocument(WorkerState State);

internal sealed class WorkerDocumentConverter : JsonConverter<WorkerDocument>
{
    public override WorkerDocument Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        new(JsonSerializer.Deserialize(ref reader, LeasingJsonContext.Default.WorkerState)!);

    public override void Write(Utf8JsonWriter writer, WorkerDocument value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value.State, LeasingJsonContext.Default.WorkerState);
}

internal sealed class LedgerDocumentConverter : JsonConverter<LedgerDocument>
{
    public override LedgerDocument Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        new(LeasingJson.ReadLedger(JsonNode.Parse(ref reader)));

    public override void Write(Utf8JsonWriter writer, LedgerDocument value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value.State, LeasingJsonContext.Default.LedgerState);
}

/// <summary>Turns ledgers of earlier formats into the next one.</summary>
internal static class LedgerUpgrade
{
    /// <summary>Format 1 kept a list of slots, each with the end of its own lease, and knew neither workers nor history.</summary>
    public static void From1(JsonObject ledger)
    {
        var slots = new JsonObject();
        var workers = new JsonObject();
        foreach (var slot in (ledger["slots"] as JsonArray ?? []).OfType<JsonObject>())
        {
            var ticket = slot["ticket"]!.GetValue<long>().ToString(System.Globalization.CultureInfo.InvariantCulture);
            var expiresUs = slot["expiresUs"]?.GetValue<long>() ?? 0;
            if (slot["owner"]?.GetValue<string>() is { } owner)
            {
                // What the worker had counted is not known: it is taken at its word when it reports, or its lease ends.
                var worker = workers[owner] as JsonObject ?? [];
                worker["expiresUs"] = Math.Max(expiresUs, worker["expiresUs"]?.GetValue<long>() ?? 0);
                workers[owner] = worker;
            }

            slot.Remove("ticket");
            slot.Remove("expiresUs");
            slots[ticket] = slot.DeepClone();
        }

        ledger["slots"] = slots;
        ledger["workers"] = workers;
        ledger["format"] = 2;
    }

    /// <summary>
    /// Up to format 2 a ledger itself held the leases of workers, and those workers have no ledgers of their own: their slots are not used
    /// again, and destroyed when no request can hold them any more.
    /// </summary>
    public static void From2(JsonObject ledger)
    {
        const long marginUs = 60_000_000;
        var holdUs = ledger["holdUs"]?.GetValue<long>() ?? 0;
        var workers = ledger["workers"] as JsonObject ?? [];
        foreach (var worker in workers.Select(w => w.Value).OfType<JsonObject>())
        {
            worker["expired"] = true;
            worker["waiting"] = 0;
            worker["active"] = 0;
        }

        foreach (var slot in (ledger["slots"] as JsonObject ?? []).Select(s => s.Value).OfType<JsonObject>())
        {
            var state = slot["state"]?.GetValue<string>();
            if (slot["owner"]?.GetValue<string>() is { } owner && state is null or "Creating" or "Leased")
            {
                slot["state"] = state == "Leased" ? "Suspect" : "Creating";
                slot["dueUs"] = ((workers[owner!] as JsonObject)?["expiresUs"]?.GetValue<long>() ?? 0) + holdUs + marginUs;
            }
        }

        ledger["format"] = 3;
    }

    /// <summary>Up to format 3 one request at a time held a slot.</summary>
    public static void From3(JsonObject ledger)
    {
        foreach (var slot in (ledger["slots"] as JsonObject ?? []).Select(s => s.Value).OfType<JsonObject>())
        {
            if (slot["holder"] is { } holder)
            {
                slot.Remove("holder");
                slot["holders"] = new JsonArray(holder);
            }
        }

        ledger["format"] = 4;
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    IgnoreReadOnlyProperties = true,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(LedgerState))]
[JsonSerializable(typeof(WorkerReport))]
[JsonSerializable(typeof(LedgerView))]
[JsonSerializable(typeof(WorkerBeat))]
[JsonSerializable(typeof(WorkerState))]
[JsonSerializable(typeof(ProvisionRequest))]
[JsonSerializable(typeof(ProvisionedSlot))]
[JsonSerializable(typeof(SlotFailure))]
internal sealed partial class LeasingJsonContext : JsonSerializerContext;
