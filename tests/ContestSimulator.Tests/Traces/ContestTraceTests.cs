using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.Tests.Traces;

public sealed class ContestTraceTests : TraceFolderTests
{
    [Fact]
    public void A_folder_gives_functions_and_requests_in_microseconds()
    {
        Put("metas", OneMeta + "\n" + OneMeta.Replace("\"f\"", "\"g\"", StringComparison.Ordinal) + "\n");
        Put("requests", Request(1_685_980_824_304, "g", 50, 408) + "\n");

        var trace = ContestTrace.Open(Folder);

        Assert.Equal(Path.GetFileName(Folder), trace.Name);
        Assert.Equal(new TraceFunction(new FunctionMeta(new MetaKey("g"), "go", 60, 128), 40_000), trace.Functions[1]);
        Assert.Equal([new TraceRequest(1, 1_685_980_824_304_000, 50_000, 408)], trace.ReadRequests());
    }

    [Fact]
    public void Every_pass_yields_the_same_requests()
    {
        Put("metas", OneMeta);
        Put("requests", $"{Request(1)}\n{Request(2)}\n{Request(3)}");
        var trace = ContestTrace.Open(Folder);

        Assert.Equal(trace.ReadRequests().ToArray(), trace.ReadRequests().ToArray());
    }

    [Fact]
    public void Gzip_files_are_read_by_their_name_in_a_folder_and_by_their_content_as_paths()
    {
        PutGzip("metas.gz", OneMeta + "\n");
        PutGzip("requests.gz", Request(7) + "\n");
        var requests = PutGzip("anything", Request(8) + "\n");

        Assert.Equal([7000], ContestTrace.Open(Folder).ReadRequests().Select(r => r.StartUs));
        Assert.Equal([8000], ContestTrace.Open(Path.Combine(Folder, "metas.gz"), requests).ReadRequests().Select(r => r.StartUs));
    }

    [Fact]
    public void Blank_lines_windows_line_ends_a_byte_order_mark_and_unknown_fields_are_accepted()
    {
        Put("metas", "\uFEFF\r\n" + OneMeta.Replace("}", ", \"note\": {\"a\": [1, {}]}}", StringComparison.Ordinal) + "\r\n\r\n");
        Put("requests", "\uFEFF" + Request(1).Replace("{", "{\"x\": null, ", StringComparison.Ordinal) + "\r\n \t\r\n" + Request(2));

        Assert.Equal([1000, 2000], ContestTrace.Open(Folder).ReadRequests().Select(r => r.StartUs));
    }

    [Fact]
    public void Keys_may_be_escaped_or_not_in_either_file()
    {
        Put("metas", OneMeta.Replace("\"f\"", "\"\\u00e9/\\\"\"", StringComparison.Ordinal));
        Put("requests", $"{Request(1, "é/\\\"")}\n{Request(2, "\\u00E9\\/\\u0022")}");

        Assert.Equal([0, 0], ContestTrace.Open(Folder).ReadRequests().Select(r => r.Function));
    }

    [Fact]
    public void Lines_longer_than_the_buffer_are_read()
    {
        Put("metas", OneMeta.Replace("}", $", \"note\": \"{new string('x', 500_000)}\"}}", StringComparison.Ordinal));
        Put("requests", Request(1) + new string(' ', 300_000) + "\n" + Request(2));

        Assert.Equal(2, ContestTrace.Open(Folder).ReadRequests().Count());
    }

    [Fact]
    public void Requests_up_to_sixty_seconds_late_are_put_in_order_and_ties_keep_the_order_of_the_file()
    {
        Put("metas", OneMeta);
        Put(
            "requests",
            string.Join('\n', Request(60_000, durationMs: 1), Request(0, durationMs: 2), Request(60_000, durationMs: 3), Request(30_000, durationMs: 4), Request(30_000, durationMs: 5)));

        Assert.Equal(
            [(0, 2), (30_000, 4), (30_000, 5), (60_000, 1), (60_000, 3)],
            ContestTrace.Open(Folder).ReadRequests().Select(r => (r.StartUs / 1000, r.DurationUs / 1000)));
    }

    [Fact]
    public void A_request_more_than_sixty_seconds_late_is_an_error()
    {
        var error = ReadingFails(OneMeta, $"{Request(60_001)}\n{Request(0)}");

        Assert.Contains("line 2, field \"startTime\"", error.Message, StringComparison.Ordinal);
        Assert.Contains("sort the file", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"metaKey\": \"f\", \"startTime\": 1", "broken JSON at byte")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("{\"metaKey\": \"f\"} {}", "broken JSON")]
    [InlineData("""{"startTime": 1, "durationsInMs": 1, "statusCode": 200}""", "field \"metaKey\": it is missing")]
    [InlineData("""{"metaKey": "f", "durationsInMs": 1, "statusCode": 200}""", "field \"startTime\": it is missing")]
    [InlineData("""{"metaKey": "f", "startTime": 1, "statusCode": 200}""", "field \"durationsInMs\": it is missing")]
    [InlineData("""{"metaKey": "f", "startTime": 1, "durationsInMs": 1}""", "field \"statusCode\": it is missing")]
    [InlineData("""{"metaKey": 5, "startTime": 1, "durationsInMs": 1, "statusCode": 200}""", "field \"metaKey\": 5 is not a string")]
    [InlineData("""{"metaKey": "f", "startTime": "1"}""", "field \"startTime\": the string \"1\" is not a whole number")]
    [InlineData("""{"metaKey": "f", "startTime": 1.5}""", "field \"startTime\": 1.5 is not a whole number")]
    [InlineData("""{"metaKey": "f", "startTime": null}""", "field \"startTime\": null is not a whole number")]
    [InlineData("""{"metaKey": "f", "durationsInMs": {}}""", "field \"durationsInMs\": an object is not a whole number")]
    [InlineData("""{"metaKey": "f", "durationsInMs": -1}""", "field \"durationsInMs\": -1 is out of range")]
    [InlineData("""{"metaKey": "f", "durationsInMs": 99999999999}""", "field \"durationsInMs\": 99999999999 is out of range")]
    [InlineData("""{"metaKey": "f", "startTime": 99999999999999999999}""", "field \"startTime\": 99999999999999999999 is not a whole number")]
    [InlineData("""{"metaKey": "f", "statusCode": 1000}""", "field \"statusCode\": 1000 is out of range")]
    [InlineData("""{"metaKey": "other", "startTime": 1}""", "field \"metaKey\": \"other\" is not the key of any function")]
    [InlineData("""{"metaKey": "\ud800", "startTime": 1}""", "field \"metaKey\": the text is not valid")]
    public void A_malformed_request_is_named_by_file_line_and_field(string line, string expected)
    {
        var error = ReadingFails(OneMeta, $"{Request(1)}\n\n{line}\n");

        Assert.Contains(Path.Combine(Folder, "requests") + "\", line 3", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"runtime": "go", "memoryInMb": 128, "initDurationInMs": 4}""", "field \"key\": it is missing")]
    [InlineData("""{"key": "", "memoryInMb": 128, "initDurationInMs": 4}""", "field \"key\": it is missing or empty")]
    [InlineData("""{"key": "g", "initDurationInMs": 4}""", "field \"memoryInMb\": it is missing")]
    [InlineData("""{"key": "g", "memoryInMb": 128}""", "field \"initDurationInMs\": it is missing")]
    [InlineData("""{"key": "g", "memoryInMb": 0}""", "field \"memoryInMb\": 0 is out of range")]
    [InlineData("""{"key": "g", "memoryInMb": 9999999}""", "field \"memoryInMb\": 9999999 is out of range")]
    [InlineData("""{"key": "g", "initDurationInMs": -4}""", "field \"initDurationInMs\": -4 is out of range")]
    [InlineData("""{"key": "g", "timeoutInSecs": true}""", "field \"timeoutInSecs\": true is not a whole number")]
    [InlineData("""{"key": "g", "runtime": 3}""", "field \"runtime\": 3 is not a string")]
    [InlineData("""{"key": "f", "memoryInMb": 128, "initDurationInMs": 4}""", "field \"key\": \"f\" is already on line 1")]
    [InlineData("key", "broken JSON at byte 1")]
    public void A_malformed_function_is_named_by_file_line_and_field(string line, string expected)
    {
        var error = ReadingFails($"{OneMeta}\n{line}\n", Request(1));

        Assert.Contains(Path.Combine(Folder, "metas") + "\", line 2", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_the_key_the_memory_and_the_init_duration_of_a_function_are_required()
    {
        Put("metas", """{"key": "g", "memoryInMb": 128, "initDurationInMs": 0}""");
        Put("requests", Request(1, "g"));

        Assert.Equal(new FunctionMeta(new MetaKey("g"), "", 0, 128), ContestTrace.Open(Folder).Functions[0].Meta);
    }

    [Fact]
    public void Empty_files_are_errors()
    {
        Assert.Contains("no function in it", ReadingFails("\n\n", Request(1)).Message, StringComparison.Ordinal);
        Assert.Contains("no request in it", ReadingFails(OneMeta, "").Message, StringComparison.Ordinal);
        Assert.Contains("no request in it", ReadingFails(OneMeta, "\uFEFF\r\n").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_missing_is_named_with_what_was_looked_for()
    {
        var noFolder = Assert.Throws<TraceFormatException>(() => ContestTrace.Open(Path.Combine(Folder, "none")));
        Assert.Contains("no folder", noFolder.Message, StringComparison.Ordinal);

        Put("metas", OneMeta);
        var noRequests = Assert.Throws<TraceFormatException>(() => ContestTrace.Open(Folder));
        Assert.Contains("neither \"requests\" nor \"requests.gz\"", noRequests.Message, StringComparison.Ordinal);

        var noFile = Assert.Throws<TraceFormatException>(() => ContestTrace.Open(Path.Combine(Folder, "metas"), Path.Combine(Folder, "r")));
        Assert.Contains("the requests", noFile.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_in_place_of_a_file_is_not_taken_for_one()
    {
        Directory.CreateDirectory(Path.Combine(Folder, "metas"));

        Assert.Throws<TraceFormatException>(() => ContestTrace.Open(Folder));
    }

    [Fact]
    public void Gzip_data_that_are_cut_short_are_an_error_wherever_the_cut_is()
    {
        Put("metas", OneMeta);
        var path = PutGzip("requests.gz", string.Concat(Enumerable.Range(0, 60).Select(i => Request(i, durationMs: i * i % 97) + "\n")));
        var whole = File.ReadAllBytes(path);

        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            var error = Assert.Throws<TraceFormatException>(() => ContestTrace.Open(Folder).ReadRequests().Count());
            Assert.Contains("requests.gz", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Compressed_files_put_together_are_an_error_because_they_cannot_be_told_from_a_cut()
    {
        Put("metas", OneMeta);
        var path = PutGzip("requests.gz", Request(1) + "\n");
        File.WriteAllBytes(path, [.. File.ReadAllBytes(path), .. File.ReadAllBytes(path)]);

        Assert.Throws<TraceFormatException>(() => ContestTrace.Open(Folder).ReadRequests().Count());
    }

    [Fact]
    public void Corrupt_gzip_data_are_an_error()
    {
        Put("metas", OneMeta);
        var path = PutGzip("requests.gz", Request(1) + "\n");
        var bytes = File.ReadAllBytes(path);
        Array.Fill(bytes, (byte)0xff, 12, 20);
        File.WriteAllBytes(path, bytes);

        var error = Assert.Throws<TraceFormatException>(() => ContestTrace.Open(Folder).ReadRequests().Count());

        Assert.Contains("gzip data are corrupt", error.Message, StringComparison.Ordinal);
    }

    [DataTheory]
    [InlineData("function_smoke_test", 980)]
    [InlineData("dataSet_1", 6869)]
    [InlineData("dataSet_3", 153_901)]
    public void The_real_traces_are_read(string name, int requests)
    {
        var trace = ContestTrace.Open(SharedData.PathOf(Path.Combine("contest", name)));

        Assert.Equal(name, trace.Name);
        Assert.Equal(requests, trace.ReadRequests().Count());
    }
}
