using System.Text.Json;
using System.Text.Json.Serialization;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>Settings in a JSON file: comments and trailing commas are welcome, unknown names are not.</summary>
internal static class SettingsFile
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web)
    {
        AllowTrailingCommas = true,
        ReadCommentHandling = JsonCommentHandling.Skip,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    /// <exception cref="CommandException">The file is missing or cannot be read as these settings; the message says where.</exception>
    public static T Read<T>(string option, string file)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(File.ReadAllText(file), Format)
                ?? throw new CommandException(CommandException.BadUsage, $"{option} {file} is empty: write a JSON object with the settings.");
        }
        catch (JsonException e)
        {
            var line = e.LineNumber is { } number ? $", line {number + 1}" : "";
            throw new CommandException(CommandException.BadUsage, $"{option} {file}{line}: {e.Message.Split(" Path:")[0]} (at {e.Path ?? "$"}).", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(CommandException.BadUsage, $"{option} {file} cannot be read: {e.Message}", e);
        }
    }

    /// <exception cref="CommandException">There are errors; the message has one on each line.</exception>
    public static void ThrowIfWrong(string option, string file, IReadOnlyList<string> errors)
    {
        if (errors.Count > 0)
        {
            throw new CommandException(CommandException.BadUsage, $"{option} {file}:\n  {string.Join("\n  ", errors)}");
        }
    }
}
